"""split_kernels: one function per T.Kernel, workspaces behind the parameters."""

import tilelang.language as T

from tt_jit.lower.split_kernels import workspaces_of

from .programs import after, allocations, assert_program, line_of, position_of, refusal, run

PASS = "split_kernels"


@T.prim_func
def two(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(2) as bx:
        first = T.alloc_shared((32, 64), "float32")
        T.copy(A[bx * 32, 0], first)
        T.copy(first, C[bx * 32, 0])
    with T.Kernel(4) as bx:
        second = T.alloc_shared((16, 64), "float32")
        T.copy(C[bx * 16, 0], second)
        T.copy(second, A[bx * 16, 0])


def test_every_kernel_becomes_a_function_with_its_own_buffers() -> None:
    @T.prim_func
    def one(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            first = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], first)
            T.copy(first, C[bx * 32, 0])

    functions = {f.attrs["global_symbol"]: f for f in run(two, 0, position_of(PASS) + 1).functions.values()}
    assert set(functions) == {"two_1", "two_2"}
    assert [int(functions[f"two_{n}"].attrs["tt_program"]) for n in (1, 2)] == [1, 2]
    assert_program(functions["two_1"], one)
    assert set(allocations(functions["two_2"])) == {"second"}
    assert [str(p.name) for p in functions["two_2"].params] == [str(p.name) for p in two.params]


def test_one_kernel_keeps_its_name() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, A[bx * 32, 0])

    result = after(kernel, PASS)
    assert str(result.attrs["global_symbol"]) == "kernel" and int(result.attrs["tt_program"]) == 1
    assert_program(result, kernel)


def test_a_workspace_becomes_the_last_parameter() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        W = T.alloc_global((64, 64), "bfloat16")
        with T.Kernel(2) as bx:
            tile = T.alloc_shared((32, 64), "bfloat16")
            T.copy(A[bx * 32, 0], tile)
            T.copy(tile, W[bx * 32, 0])
            T.copy(W[bx * 32, 0], C[bx * 32, 0])

    result = after(kernel, PASS)
    assert [result.buffer_map[p].name for p in result.params] == ["A", "C", "W"]
    assert workspaces_of(result) == {"W"}
    assert set(allocations(result)) == {"tile"}


def test_refuses_statements_between_kernels() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(1):
            tile = T.alloc_shared((64, 64), "float32")
            T.copy(A, tile)
        for _k in T.serial(2):
            with T.Kernel(1):
                other = T.alloc_shared((64, 64), "float32")
                T.copy(A, other)
        with T.Kernel(1):
            third = T.alloc_shared((64, 64), "float32")
            T.copy(A, third)

    error = refusal(kernel, PASS)
    assert error.message == "a statement between two T.Kernel blocks"
    assert line_of(error) == "for _k in T.serial(2):"
