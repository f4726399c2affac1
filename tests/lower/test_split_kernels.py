"""split_kernels: every T.Kernel becomes a function, every workspace a tensor behind the parameters."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError
from tt_jit.lower.split_kernels import workspaces_of

from .programs import allocations, assert_body, line_of, position_of, refusal, run

PASS = "split_kernels"


@T.prim_func
def two_kernels(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    W = T.alloc_global((64, 64), "float32")
    with T.Kernel(2) as bx:
        S = T.alloc_shared((32, 64), "float32")
        T.copy(A[bx * 32, 0], S)
        T.copy(S, W[bx * 32, 0])
    with T.Kernel(4) as bx:
        R = T.alloc_shared((16, 64), "float32")
        T.copy(W[bx * 16, 0], R)
        T.copy(R, C[bx * 16, 0])


def test_one_function_per_kernel() -> None:
    @T.prim_func
    def first(A: T.Tensor((64, 64), "float32"), W: T.Buffer((64, 64), "float32")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], S)
            T.copy(S, W[bx * 32, 0])

    @T.prim_func
    def second(W: T.Buffer((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(4) as bx:
            R = T.alloc_shared((16, 64), "float32")
            T.copy(W[bx * 16, 0], R)
            T.copy(R, C[bx * 16, 0])

    module = run(two_kernels, 0, position_of(PASS) + 1)
    one, two = (module[name] for name in ("two_kernels_1", "two_kernels_2"))
    assert_body(one, first)
    assert_body(two, second)
    assert (list(allocations(one)), list(allocations(two))) == (["S"], ["R"])
    for number, func in ((1, one), (2, two)):
        assert [func.buffer_map[param].name for param in func.params] == ["A", "C", "W"]
        assert workspaces_of(func) == {"W"}
        assert int(func.attrs["tt_program"]) == number


def test_a_function_with_one_kernel_keeps_its_name() -> None:
    @T.prim_func
    def copy(A: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], S)

    module = run(copy, 0, position_of(PASS) + 1)
    assert [name.name_hint for name in module.functions] == ["main"]
    assert int(module["main"].attrs["tt_program"]) == 1 and not workspaces_of(module["main"])


def test_refuses_a_statement_between_kernels() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            S = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], S)
        T.copy(A, C)
        with T.Kernel(2) as bx:
            R = T.alloc_shared((32, 64), "float32")
            T.copy(A[bx * 32, 0], R)

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert (error.message, error.hint) == (
        "a statement between two T.Kernel blocks",
        "move it into one of the kernels",
    )
    assert line_of(error) == "T.copy(A, C)"
