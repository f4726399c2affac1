"""verify_tt_ir: a program that breaks a rule of the chip never gets further."""

from collections.abc import Callable

import pytest
import tilelang.language as T
import tvm
from tilelang.ir import get_prim_func_span, set_prim_func_span
from tvm import tirx as tir

from tt_jit.errors import InternalError
from tt_jit.lower import PIPELINE
from tt_jit.lower.base import LoweringContext, run_pipeline
from tt_jit.lower.ops import do
from tt_jit.lower.tile_ir import parallel, sequence
from tt_jit.lower.verify_tt_ir import verify_tt_ir

from .programs import WORMHOLE, after, before, line_of

PASS = "verify_tt_ir"


@T.prim_func
def kernel(A: T.Tensor((64, 64), "float32"), C: T.Tensor((64, 64), "float32")):
    with T.Kernel(2) as bx:
        a = T.alloc_shared((32, 64), "float32")
        c = T.alloc_fragment((32, 64), "float32")
        T.copy(A[bx * 32, 0], a)
        for i, j in T.Parallel(32, 64):
            c[i, j] = T.exp(a[i, j])
        T.copy(c, C[bx * 32, 0])


def test_a_good_program_is_marked_and_counted() -> None:
    result = after(kernel, PASS)
    assert bool(result.attrs["tt_ir_validated"])
    assert int(result.attrs["tt_num_device_calls"]) > 10 and int(result.attrs["tt_num_loops"]) >= 3
    assert tir.stmt_functor.substitute(result.body, {}).same_as(result.body)


def with_statement(make: Callable[[dict[str, tir.Var]], tir.Stmt]) -> tir.PrimFunc:
    """The tensorized kernel and one more statement over its rings."""
    func = before(kernel, PASS)
    rings = {}

    def visit(node: object) -> None:
        if isinstance(node, tir.Var) and str(node.dtype) == "handle":
            rings[node.name] = node

    tir.stmt_functor.post_order_visit(func.body, visit)
    return func.with_body(sequence([func.body, make(rings)]))


def tile_operation(rings: dict[str, tir.Var]) -> tir.Stmt:
    x, y = (tir.decl_buffer((32, 32), "float32", name) for name in "xy")
    index = tir.Var("i", "int32")
    return parallel([index], [32], tir.BufferStore(x, tir.BufferLoad(y, [index, 0]), [index, 0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rings: do("cb_push_back", rings["a"], 3), "cb_push_back(a, 3) does not divide its 4 pages"),
        (lambda rings: do("cb_wait_front", rings["a"], 8), "cb_wait_front(a, 8) does not divide its 4 pages"),
        (
            lambda rings: do("cb_wait_front", tir.Var("stranger", "handle"), 1),
            "cb_wait_front names stranger, which is no circular buffer",
        ),
        (lambda rings: do("pack_tile", 4, rings["c"]), "pack_tile packs DST tile 4; the half holds 4"),
        (tile_operation, "a T.Parallel loop was left after tensorize_tt"),
    ],
    ids=["push", "wait", "unknown ring", "register", "tile statement"],
)
def test_refuses_what_breaks_a_rule(make: Callable[[dict[str, tir.Var]], tir.Stmt], message: str) -> None:
    with pytest.raises(InternalError) as caught:
        verify_tt_ir(with_statement(make), LoweringContext(target=WORMHOLE))
    assert caught.value.message == message
    assert caught.value.hint == "this is a defect of tt_jit; please report it with the kernel"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tt_has_tensorize", False, "tensorize_tt has not run"),
        ("tt_num_cbs", 7, "tt_num_cbs is 7, there are 2 circular buffers"),
        ("tt_tiles_per_core", tir.IntImm("int32", 0), "0 places on the cores for 2 blocks"),
        ("tt_num_matmuls", 1, "1 matrix products became 0 calls"),
    ],
)
def test_refuses_attributes_that_disagree_with_the_program(name: str, value: object, message: str) -> None:
    with pytest.raises(InternalError) as caught:
        verify_tt_ir(before(kernel, PASS).with_attr(name, value), LoweringContext(target=WORMHOLE))
    assert caught.value.message == message


def test_the_error_points_at_the_kernel() -> None:
    (step,) = [step for step in PIPELINE if step.name == PASS]
    func = before(kernel, PASS)
    broken = func.with_body(sequence([func.body, do("cb_wait_front", tir.Var("stranger", "handle"), 1)]))
    set_prim_func_span(broken, get_prim_func_span(func))
    with pytest.raises(InternalError) as caught:
        run_pipeline(tvm.IRModule({"main": broken}), [step], LoweringContext(target=WORMHOLE))
    assert line_of(caught.value).startswith("def kernel(A:")
