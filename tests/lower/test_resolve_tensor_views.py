"""resolve_tensor_views: a tensor takes the shape in which the kernel accesses it."""

import tilelang.language as T

from tt_jit.errors import UnsupportedError
from tt_jit.lower.resolve_tensor_views import argument_shape

from .programs import after, assert_program, line_of, refusal

PASS = "resolve_tensor_views"


def test_a_tensor_takes_the_shape_of_its_view() -> None:
    @T.prim_func
    def before(X: T.Tensor((2, 4, 8, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            flat = T.Tensor((64, 64), "float32", X.data)
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(flat[bx * 32, 0], tile)
            T.copy(tile, Y[bx * 32, 0])

    @T.prim_func
    def expected(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(X[bx * 32, 0], tile)
            T.copy(tile, Y[bx * 32, 0])

    result = after(before, PASS)
    assert_program(result, expected)
    (x, y) = result.buffer_map.values()
    assert [int(extent) for extent in x.shape] == [64, 64]
    assert [int(extent) for extent in argument_shape(result, x)] == [2, 4, 8, 64]
    assert argument_shape(result, y) == list(y.shape)


def test_a_program_without_views_is_left_alone() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            tile = T.alloc_fragment((32, 64), "float32")
            T.copy(X[bx * 32, 0], tile)

    result = after(kernel, PASS)
    assert_program(result, kernel)
    assert "tt_argument_shapes" not in result.attrs


def test_refuses_a_tensor_in_two_shapes() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((4, 16, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            flat = T.Tensor((64, 64), "float32", X.data)
            tile = T.alloc_fragment((16, 64), "float32")
            T.copy(flat[bx * 16, 0], tile)
            T.copy(tile, X[bx, 0, 0])

    error = refusal(kernel, PASS)
    assert isinstance(error, UnsupportedError)
    assert error.message == "X is accessed in two shapes, (64, 64) and (4, 16, 64)"
    assert line_of(error) == "T.copy(tile, X[bx, 0, 0])"


def test_refuses_a_view_of_another_size() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((4, 16, 64), "float32"), Y: T.Tensor((64, 64), "float32")):
        with T.Kernel(2) as bx:
            flat = T.Tensor((64, 32), "float32", X.data)
            tile = T.alloc_fragment((32, 32), "float32")
            T.copy(flat[bx * 32, 0], tile)
            T.copy(tile, Y[bx * 32, 0])

    error = refusal(kernel, PASS)
    assert error.message == "flat has 2048 elements of the memory of X, which has 4096"
    assert line_of(error) == "T.copy(flat[bx * 32, 0], tile)"


def test_refuses_a_view_of_another_dtype() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64, 64), "float32"), Y: T.Tensor((64, 64), "int32")):
        with T.Kernel(2) as bx:
            bits = T.Tensor((64, 64), "int32", X.data)
            tile = T.alloc_fragment((32, 64), "int32")
            T.copy(bits[bx * 32, 0], tile)
            T.copy(tile, Y[bx * 32, 0])

    error = refusal(kernel, PASS)
    assert error.message == "bits is the memory of X (float32) as int32"
