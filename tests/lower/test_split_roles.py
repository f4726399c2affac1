"""split_roles: three programs that meet only in circular buffers."""

import tilelang.language as T

from tt_jit.lower.tile_ir import statements_of

from .programs import WORK_COUNT, WORK_START, assert_body, outline, roles_after, tt

PASS = "split_roles"


@T.prim_func
def scale(A: T.Tensor((256, 64), "bfloat16"), C: T.Tensor((256, 64), "bfloat16")):
    with T.Kernel(8, 2) as (bx, by):
        a = T.alloc_shared((32, 32), "bfloat16")
        c = T.alloc_fragment((32, 32), "bfloat16")
        T.copy(A[bx * 32, by * 32], a)
        for i, j in T.Parallel(32, 32):
            c[i, j] = a[i, j] * T.bfloat16(2.0)
        T.copy(c, C[bx * 32, by * 32])


def test_reader_and_writer() -> None:
    @T.prim_func
    def reader(A: T.Tensor((256, 64), "bfloat16")):
        a = T.alloc_shared((32, 32), "bfloat16")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 8
            by = work // 8
            tt.cb_reserve_back(a, 1)
            a_l1 = tt.get_write_ptr(a)
            tt.noc_async_read_page(bx * 2 + by, A, a_l1)
            tt.noc_async_read_barrier()
            tt.cb_push_back(a, 1)

    @T.prim_func
    def writer(C: T.Tensor((256, 64), "bfloat16")):
        c = T.alloc_fragment((32, 32), "bfloat16")
        for work in T.serial(WORK_START, WORK_START + WORK_COUNT):
            bx = work % 8
            by = work // 8
            tt.cb_wait_front(c, 1)
            c_l1 = tt.get_read_ptr(c)
            tt.noc_async_write_page(bx * 2 + by, C, c_l1)
            tt.noc_async_writes_flushed()
            tt.cb_pop_front(c, 1)
        tt.noc_async_write_barrier()

    roles = roles_after(scale, PASS)
    assert sorted(roles) == ["compute", "reader", "writer"]
    assert_body(roles["reader"], reader)
    assert_body(roles["writer"], writer)


def test_compute_keeps_only_the_loop_it_needs() -> None:
    compute = roles_after(scale, PASS)["compute"]
    assert "bx" not in compute.script() and "noc_async" not in compute.script()
    assert len(statements_of(compute.body)) == 1


def test_arguments_and_tensors() -> None:
    m, alpha = T.dynamic("m"), T.float32

    @T.prim_func
    def kernel(A: T.Tensor((m, 64), "float32"), C: T.Tensor((m, 64), "float32"), factor: alpha):
        with T.Kernel(T.ceildiv(m, 32)) as bx:
            a = T.alloc_shared((32, 64), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.copy(A[bx * 32, 0], a)
            for i, j in T.Parallel(32, 64):
                c[i, j] = a[i, j] * factor
            T.copy(c, C[bx * 32, 0])

    facts = {
        role: tuple([str(name) for name in func.attrs[f"tt_{what}"]] for what in ("tensors", "common_arguments"))
        for role, func in roles_after(kernel, PASS).items()
    }
    assert facts["compute"] == ([], ["factor"])
    assert facts["reader"][0] == ["A"] and facts["writer"][0] == ["C"]
    for func in roles_after(kernel, PASS).values():
        assert [str(name) for name in func.attrs["tt_core_arguments"]] == ["work_start", "work_count"]


def test_a_role_without_work_is_absent() -> None:
    @T.prim_func
    def copy(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, C[bx * 32, 0])

    assert sorted(roles_after(copy, PASS)) == ["reader", "writer"]


def test_a_branch_whose_first_half_is_empty_for_a_role_is_negated() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            if bx > 0:
                T.fill(tile, 1.0)
            else:
                T.copy(A[bx * 32, 0], tile)
            T.copy(tile, C[bx * 32, 0])

    reader = roles_after(kernel, PASS)["reader"]
    assert "if not bx > 0:" in reader.script()
    assert "fill" not in outline(reader)


def test_scalars_reach_every_role_that_needs_them() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 64), "float32"), Rows: T.Tensor((8,), "int32"), C: T.Tensor((256, 64), "float32")):
        with T.Kernel(8) as bx:
            a = T.alloc_shared((32, 64), "float32")
            c = T.alloc_fragment((32, 64), "float32")
            T.clear(c)
            for k in T.serial(Rows[bx]):
                T.copy(A[k * 32, 0], a)
                for i, j in T.Parallel(32, 64):
                    c[i, j] = c[i, j] + a[i, j]
            T.copy(c, C[bx * 32, 0])

    roles = roles_after(kernel, PASS)
    assert "read_scalar" in outline(roles["reader"]) or "fetch_scalar" in roles["reader"].script()
    assert "for k in range(scalar)" in roles["compute"].script()
    assert "scalar" not in roles["writer"].script().split("work_start = ")[-1]


def test_the_reader_decides_about_floats_and_sends_the_answer() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "float32")
            best = T.alloc_fragment((1,), "float32")
            row_best = T.alloc_fragment((32,), "float32")
            T.copy(A[bx * 32, 0], S)
            T.reduce_max(S, row_best, dim=1)
            T.reduce_max(row_best, best, dim=0)
            if best[0] > 1.0:
                for i, j in T.Parallel(32, 64):
                    S[i, j] = S[i, j] * 2.0
            T.copy(S, C[bx * 32, 0])

    roles = roles_after(kernel, PASS)
    reader, compute, writer = (roles[name].script() for name in ("reader", "compute", "writer"))
    assert "T.tt.cb_wait_front(best_scalar, 1)" in reader and "T.tt.cb_push_back(best_scalar, 1)" in compute
    assert "T.tt.send_scalar(scalar_to_compute, decision)" in reader
    assert "decision: T.int32 = T.tt.receive_scalar(scalar_to_compute)" in compute
    assert "take_lane" not in compute and "decision" not in writer
