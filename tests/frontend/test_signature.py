"""Checks of call arguments: a mistake is refused with the parameter, what it got, what it needs and a remedy."""

from typing import Any

import numpy
import pytest
import torch

from tt_jit.binding import bind_arguments
from tt_jit.errors import ArgumentError
from tt_jit.expression import Expression
from tt_jit.signature import KernelSignature, Parameter, argument_key, check_arguments, normalize_out_idx


def tensor(name: str, *shape: int | str, dtype: str = "float32", **fields: Any) -> Parameter:
    sizes = tuple(Expression.parse(size) for size in shape)
    return Parameter(name=name, kind="tensor", dtype=dtype, shape=sizes, **fields)


def scalar(name: str, dtype: str) -> Parameter:
    return Parameter(name=name, kind="scalar", dtype=dtype)


def signature(*parameters: Parameter, out_idx: Any = None) -> KernelSignature:
    chosen = normalize_out_idx(out_idx, parameters, "kernel")
    return KernelSignature(name="kernel", parameters=parameters, out_idx=chosen)


def refused(sig: KernelSignature, *values: Any, **named: Any) -> str:
    """The text with which a call is refused."""
    with pytest.raises(ArgumentError) as caught:
        check_arguments(sig, bind_arguments(sig, values, named))
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


MATMUL = signature(tensor("A", "m", "k"), tensor("B", "k", 64), tensor("C", "m", 64), out_idx=-1)


def test_symbols_are_solved_across_tensors() -> None:
    checked = check_arguments(MATMUL, (torch.zeros(8, 16), torch.zeros(16, 64)))
    assert checked.symbols == {"m": 8, "k": 16}
    assert checked.outputs[0].shape == (8, 64)
    assert checked.outputs[0].dtype == torch.float32


def test_linear_equations_are_solved_in_any_order() -> None:
    sig = signature(tensor("A", "2 * m + n + 1"), tensor("B", "n - 3"), tensor("C", "m * 4", "(m + 31) / 32"))
    checked = check_arguments(sig, (torch.zeros(2 * 5 + 7 + 1), torch.zeros(4), torch.zeros(20, 1)))
    assert checked.symbols == {"m": 5, "n": 7}
    text = refused(sig, torch.zeros(2 * 5 + 7 + 1), torch.zeros(4), torch.zeros(21, 1))
    assert "C.shape[0] = 21" in text
    assert "n = 7 from B.shape[0]" not in text
    text = refused(sig, torch.zeros(17), torch.zeros(4), torch.zeros(20, 1))
    assert "argument 'A' has the wrong shape" in text
    assert "A.shape[0] = 2 * m + n + 1 = 18 (m = 5 from C.shape[0], n = 7 from B.shape[0])" in text


def test_what_does_not_determine_a_symbol_is_refused() -> None:
    assert "m cannot be found" in refused(signature(tensor("A", "(m + 31) / 32")), torch.zeros(1))
    assert "m, n cannot be found" in refused(signature(tensor("A", "m * n")), torch.zeros(4))


def test_scalars_can_be_sizes() -> None:
    sig = signature(tensor("A", "n + 1"), scalar("n", "int32"))
    assert check_arguments(sig, (torch.zeros(5), 4)).symbols == {"n": 4}
    assert "n = 5 from argument n" in refused(sig, torch.zeros(5), 5)


def test_wrong_shape_says_where_the_size_came_from() -> None:
    text = refused(MATMUL, torch.zeros(8, 16), torch.zeros(32, 64))
    assert "kernel: argument 'B' has the wrong shape" in text
    assert "got: B.shape[0] = 32 (shape (32, 64))" in text
    assert "needed: B.shape[0] = k = 16 (k = 16 from A.shape[1])" in text
    assert "B is declared T.Tensor((k, 64), float32)" in text


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (torch.zeros(8), ("wrong number of dimensions", "got: 1 dimensions, shape (8,)", "needed: 2 dimensions")),
        (torch.zeros(8, 8, dtype=torch.float16), ("wrong dtype", "got: torch.float16", "A.to(torch.float32)")),
        (numpy.zeros((8, 8), dtype="float32"), ("no torch tensor", "got: ndarray", "torch.from_numpy")),
        ([[0.0]], ("no torch tensor", "got: list")),
        (3, ("no torch tensor", "got: int")),
        (None, ("is None, but the kernel uses it",)),
        (torch.zeros(8, 8, device="meta"), ("wrong device", "got: meta", "needed: cpu")),
        (torch.zeros(8, 8).to_sparse(), ("not a dense tensor", "to_dense")),
    ],
)
def test_a_wrong_tensor_is_refused(value: Any, parts: tuple[str, ...]) -> None:
    text = refused(signature(tensor("A", 8, 8)), value)
    assert "argument 'A'" in text
    for part in parts:
        assert part in text


def test_count_and_names() -> None:
    a, b = torch.zeros(8, 16), torch.zeros(16, 64)
    assert "got: 3 arguments" in refused(MATMUL, a, b, b)
    assert "C is allocated and returned by the call" in refused(MATMUL, a, b, b)
    assert "missing argument 'B'" in refused(MATMUL, a)
    assert "missing arguments 'A', 'B'" in refused(MATMUL)
    assert "unknown keyword argument 'D'" in refused(MATMUL, a, D=b)
    assert "argument 'A' is given twice" in refused(MATMUL, a, A=b)
    assert bind_arguments(MATMUL, (), {"B": b, "A": a}) == (a, b)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int32", (0, -5, 2**31 - 1, True), (2**31, 1.5, "1", None, torch.tensor(1))),
        ("uint8", (0, 255), (-1, 256)),
        ("float32", (1, 1.5, float("inf")), ("1.5", None, torch.tensor(1.0), 1j)),
        ("bool", (True, False, 1), (1.0, None)),
    ],
)
def test_scalars(dtype: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    sig = signature(scalar("n", dtype))
    for value in good:
        check_arguments(sig, (value,))
    for value in bad:
        assert f"argument 'n' does not fit T.{dtype}" in refused(sig, value)


@pytest.mark.parametrize(
    ("dtype", "accepted"),
    [
        ("bool", (torch.bool, torch.uint8, torch.int8)),
        ("float8_e4m3", (torch.float8_e4m3fn, torch.float8_e4m3fnuz)),
        ("float8_e5m2", (torch.float8_e5m2, torch.float8_e5m2fnuz)),
        ("bfloat16", (torch.bfloat16,)),
    ],
)
def test_dtypes_with_the_same_storage_are_accepted(dtype: str, accepted: tuple[torch.dtype, ...]) -> None:
    sig = signature(tensor("A", 4, dtype=dtype))
    for kind in accepted:
        check_arguments(sig, (torch.zeros(4, dtype=kind),))
    assert "wrong dtype" in refused(sig, torch.zeros(4, dtype=torch.float64))


def test_strided_views_are_accepted_where_the_kernel_asks_for_no_strides() -> None:
    sig = signature(tensor("A", 4, 8))
    check_arguments(sig, (torch.zeros(8, 4).t(),))
    check_arguments(sig, (torch.zeros(4, 16)[:, ::2],))
    check_arguments(sig, (torch.zeros(1, 8).expand(4, 8),))


def test_overlapping_memory_cannot_be_written() -> None:
    sig = signature(tensor("A", 4, 8, written=True))
    assert "its elements overlap in memory" in refused(sig, torch.zeros(1, 8).expand(4, 8))


def test_declared_strides_are_checked_and_solved() -> None:
    strides = (Expression.parse("s"), Expression.parse(1))
    sig = signature(tensor("A", "m", 8, strides=strides))
    assert check_arguments(sig, (torch.zeros(4, 16)[:, :8],)).symbols == {"m": 4, "s": 16}
    text = refused(sig, torch.zeros(8, 4).t())
    assert "wrong stride" in text
    assert "A.stride[1] = 4" in text
    check_arguments(sig, (torch.zeros(8, 1).t(),))


def test_empty_and_unused_tensors() -> None:
    assert check_arguments(MATMUL, (torch.zeros(0, 16), torch.zeros(16, 64))).outputs[0].shape == (0, 64)
    sig = signature(tensor("A", "m"), tensor("mask", "m", used=False))
    assert check_arguments(sig, (torch.zeros(4), None)).symbols == {"m": 4}


def test_an_output_whose_size_nobody_determines() -> None:
    sig = signature(tensor("A", 4), tensor("B", "n"), out_idx=1)
    assert "the shape of output 'B' depends on n" in refused(sig, torch.zeros(4))


@pytest.mark.parametrize(
    ("out_idx", "expected"), [(None, ()), (-1, (2,)), ([0, -1], (0, 2)), ((1,), (1,)), (2, (2,)), ([], ())]
)
def test_out_idx(out_idx: Any, expected: tuple[int, ...]) -> None:
    parameters = [tensor("A", 1), tensor("B", 1), tensor("C", 1)]
    assert normalize_out_idx(out_idx, parameters, "kernel") == expected


@pytest.mark.parametrize(
    ("out_idx", "message"),
    [(3, "outside the 3 parameters"), (-4, "outside"), ([0, -3], "'A' twice"), (2, "which is no tensor"),
     ("A", "integer or a list"), (True, "integer or a list")],
)  # fmt: skip
def test_a_wrong_out_idx_is_refused(out_idx: Any, message: str) -> None:
    parameters = [tensor("A", 1), tensor("B", 1), scalar("n", "int32")]
    with pytest.raises(ArgumentError, match=message):
        normalize_out_idx(out_idx, parameters, "kernel")


def test_signatures_survive_json() -> None:
    strides = (Expression.parse("s"), Expression.parse(1))
    sig = signature(tensor("A", "m + 1", 8, strides=strides, written=True), scalar("n", "int32"), out_idx=0)
    assert KernelSignature.from_json(sig.to_json()) == sig


def test_the_key_tells_apart_what_the_check_tells_apart() -> None:
    base = torch.zeros(4, 8)
    others = [
        torch.zeros(8, 4),
        torch.zeros(8, 4).t(),
        torch.zeros(4, 8, dtype=torch.float16),
        torch.zeros(4, 8, device="meta"),
        None,
        1,
        1.0,
        True,
    ]
    keys = [argument_key([value]) for value in (base, *others)]
    assert len(set(keys)) == len(keys)
    assert argument_key([torch.ones(4, 8)]) == keys[0]
