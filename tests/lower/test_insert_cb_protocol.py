"""insert_cb_protocol: reserve, push, wait and pop by liveness, for any nesting of loops and branches."""

import tilelang.language as T

from .programs import WORK_COUNT, WORK_START, after, assert_body, outline, tt

PASS = "insert_cb_protocol"
MATRIX = (128, 128)


def test_a_gemm() -> None:
    @T.prim_func
    def before(A: T.Tensor(MATRIX, "bfloat16"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            a = T.alloc_shared((64, 64), "bfloat16")
            b = T.alloc_shared((64, 64), "bfloat16")
            c = T.alloc_fragment((64, 64), "float32")
            T.clear(c)
            for k in T.serial(2):
                T.copy(A[by * 64, k * 64], a)
                T.copy(A[k * 64, bx * 64], b)
                T.gemm(a, b, c)
            T.copy(c, C[by * 64, bx * 64])

    @T.prim_func
    def expected(A: T.Tensor(MATRIX, "bfloat16"), C: T.Tensor(MATRIX, "float32")):
        a = T.alloc_shared((64, 64), "bfloat16")
        b = T.alloc_shared((64, 64), "bfloat16")
        c = T.alloc_fragment((64, 64), "float32")
        c_out = T.alloc_fragment((64, 64), "float32")
        # The first gemm overwrites c, so c enters its ring unwritten and stays there from block to block.
        tt.cb_reserve_back(c, 4)
        tt.cb_push_back(c, 4)
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 2
            by = work // 2
            for k in T.serial(2):
                # Two loads in flight, one barrier.
                tt.cb_reserve_back(a, 4)
                T.copy(A[by * 64, k * 64], a)
                tt.cb_reserve_back(b, 4)
                T.copy(A[k * 64, bx * 64], b)
                tt.noc_async_read_barrier()
                tt.cb_push_back(a, 4)
                tt.cb_push_back(b, 4)
                tt.cb_wait_front(a, 4)
                tt.cb_wait_front(b, 4)
                tt.cb_wait_front(c, 4)
                tt.cb_pop_front(c, 4)
                tt.cb_reserve_back(c, 4)
                T.gemm(a, b, c, clear_accum=(k == 0))
                tt.cb_push_back(c, 4)
                tt.cb_pop_front(a, 4)
                tt.cb_pop_front(b, 4)
            tt.cb_wait_front(c, 4)
            tt.cb_reserve_back(c_out, 4)
            T.copy(c, c_out)
            tt.cb_push_back(c_out, 4)
            tt.cb_wait_front(c_out, 4)
            T.copy(c_out, C[by * 64, bx * 64])
            tt.noc_async_writes_flushed()
            tt.cb_pop_front(c_out, 4)
        tt.cb_wait_front(c, 4)
        tt.cb_pop_front(c, 4)

    assert_body(after(before, PASS), expected)


def test_a_block_that_is_loaded_once_stays_for_all_its_uses() -> None:
    @T.prim_func
    def kernel(A: T.Tensor(MATRIX, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            resident = T.alloc_shared((64, 64), "float32")
            stream = T.alloc_shared((64, 64), "float32")
            result = T.alloc_fragment((64, 64), "float32")
            T.copy(A[by * 64, 0], resident)
            for k in T.serial(2):
                T.copy(A[by * 64, k * 64], stream)
                for i, j in T.Parallel(64, 64):
                    result[i, j] = resident[i, j] + stream[i, j]
                T.copy(result, C[by * 64, bx * 64])

    calls = after(kernel, PASS).script().split("for k in")
    assert calls[0].count("tt.cb_push_back(resident.data") == 1
    inside, behind = calls[1].split("tt.noc_async_writes_flushed()")
    assert "cb_pop_front(resident" not in inside and "cb_wait_front(resident" in inside
    assert behind.count("tt.cb_pop_front(resident.data") == 1


def test_what_nobody_reads_is_not_computed() -> None:
    @T.prim_func
    def kernel(A: T.Tensor(MATRIX, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            a = T.alloc_shared((64, 64), "float32")
            unused = T.alloc_fragment((64, 64), "float32")
            T.copy(A[by * 64, bx * 64], a)
            for i, j in T.Parallel(64, 64):
                unused[i, j] = T.exp(a[i, j])
            T.copy(a, C[by * 64, bx * 64])

    text = after(kernel, PASS).script()
    assert "T.exp" not in text and "cb_push_back(unused" not in text


def test_an_update_in_place_is_marked() -> None:
    @T.prim_func
    def before(A: T.Tensor(MATRIX, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            f = T.alloc_fragment((64, 64), "float32")
            T.fill(f, 1.0)
            for _ in T.serial(3):
                for i, j in T.Parallel(64, 64):
                    f[i, j] = f[i, j] * 2.0
            T.copy(f, C[by * 64, bx * 64])

    text = after(before, PASS).script()
    loop = text.split("for _ in")[1].split("tt.cb_reserve_back(f_out")[0]
    assert 'T.attr(f.data, "tt_in_place", 1)' in loop
    assert "cb_pop_front" not in loop.split("tt_in_place")[0], "the lowering of the update rotates the ring"


def test_branches_end_with_the_same_blocks_in_their_rings() -> None:
    @T.prim_func
    def kernel(A: T.Tensor(MATRIX, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(2, 2) as (bx, by):
            a = T.alloc_shared((64, 64), "float32")
            f = T.alloc_fragment((64, 64), "float32")
            T.copy(A[by * 64, bx * 64], a)
            if bx > by:
                for i, j in T.Parallel(64, 64):
                    f[i, j] = a[i, j] * 2.0
            else:
                T.fill(f, 0.0)
            T.copy(f, C[by * 64, bx * 64])

    then, other = after(kernel, PASS).script().split("if bx > by:")[1].split("else:")
    other, behind = other.split("tt.cb_wait_front(f")[0], other
    for branch in (then, other):
        assert branch.count("tt.cb_push_back(f.data") == 1
        assert branch.count("tt.cb_pop_front(a.data") == 1, "the branch that does not read `a` drops it"
    assert "tt.cb_wait_front(f.data" in behind


def test_rings_are_balanced_over_a_block() -> None:
    """Whatever is pushed in a straight line is popped in it."""

    @T.prim_func
    def kernel(A: T.Tensor(MATRIX, "float32"), C: T.Tensor(MATRIX, "float32")):
        with T.Kernel(1, 2) as (_, by):
            s = T.alloc_fragment((64, 128), "float32")
            m = T.alloc_fragment((64,), "float32")
            T.copy(A[by * 64, 0], s)
            T.reduce_max(s, m, dim=1)
            for i, j in T.Parallel(64, 128):
                s[i, j] = T.exp(s[i, j] - m[i])
            T.reduce_sum(s, m, dim=1)
            for i, j in T.Parallel(64, 128):
                s[i, j] = s[i, j] / m[i]
            T.copy(s, C[by * 64, 0])

    calls = outline(after(kernel, PASS))
    assert calls.count("cb_push_back") == calls.count("cb_pop_front") == calls.count("cb_reserve_back")
