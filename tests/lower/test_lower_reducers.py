"""lower_reducers: reducers as element-wise work and tile reductions."""

import pytest
import tilelang.language as T
import tvm

from tt_jit.errors import UnsupportedError
from tt_jit.lower import PIPELINE
from tt_jit.lower.base import LoweringContext, run_pipeline

from .programs import WORMHOLE, after, before, line_of, outline, position_of

PASS = "lower_reducers"


@T.prim_func
def sum_of_squares(A: T.Tensor((64, 128), "float32"), Y: T.Tensor((64,), "float32")):
    with T.Kernel(1):
        x = T.alloc_fragment((64, 128), "float32")
        total = T.alloc_reducer((64,), "float32", op="sum")
        T.copy(A, x)
        T.reducer_init(total)
        for i, j in T.Parallel(64, 128):
            total[i] += x[i, j] * x[i, j]
        T.finalize_reducer(total)
        T.copy(total, Y)


def test_a_sum_of_squares() -> None:
    result = after(sum_of_squares, PASS)
    text = result.script()
    assert "reducer_init" not in text and "finalize_reducer" not in text and not outline(result)
    fill, lanes, reduce = (
        text.index(part) for part in ("T.fill(T.region(total", "total_lanes[i, j] = x[i, j] * x[i, j]", "T.reduce(")
    )
    assert fill < lanes < reduce
    combined = 'T.reduce(T.region(total_lanes[0, 0], 1, 64, 128), T.region(total[0], 3, 64), "sum", 1, T.bool(False)'
    assert combined in text


def test_every_lane_with_an_element_of_its_own_is_an_ordinary_update() -> None:
    @T.prim_func
    def kernel(X: T.Tensor((64,), "float32"), Y: T.Tensor((64,), "float32")):
        with T.Kernel(1):
            x = T.alloc_fragment((64,), "float32")
            total = T.alloc_reducer((64,), "float32", op="sum", replication="all")
            T.copy(X, x)
            T.clear(total)
            for i in T.Parallel(64):
                total[i] += x[i]
            T.finalize_reducer(total)
            T.copy(total, Y)

    text = after(kernel, PASS).script()
    assert "total[i] = total[i] + x[i]" in text
    assert "T.reduce(" not in text and "finalize_reducer" not in text


def test_refuses_an_operation_it_does_not_know() -> None:
    func = before(sum_of_squares, PASS).with_attr("tt_reducers", {"total": "product"})
    with pytest.raises(UnsupportedError) as caught:
        run_pipeline(tvm.IRModule({"main": func}), [PIPELINE[position_of(PASS)]], LoweringContext(target=WORMHOLE))
    assert caught.value.message == "the reducer total with op='product'"
    assert caught.value.hint == "use sum, max or min"
    assert line_of(caught.value) == "T.reducer_init(total)"
