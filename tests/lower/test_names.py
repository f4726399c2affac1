"""names: buffers that passes add never take a name that another buffer has."""

import tilelang.language as T
from tvm import tirx as tir

from tt_jit.lower.names import NewBuffers, unique_name
from tt_jit.lower.tile_ir import leaves

from .programs import before


def test_a_free_name_stays_and_a_taken_one_is_numbered() -> None:
    assert unique_name("S", {"T"}) == "S"
    assert unique_name("S", {"S", "S_1"}) == "S_2"


def test_new_buffers_avoid_the_functions_own_and_are_declared_first() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((32, 32), "float32")):
        with T.Kernel(1):
            S = T.alloc_shared((32, 32), "float32")
            T.copy(A, S)

    func = before(kernel, "transpose_operands")
    new = NewBuffers.of(func)
    names = [new.allocate("S", (32,), "float32").name, new.allocate("S", (32,), "int32", scope="shared").name]
    declared = [leaf.buffer for leaf in leaves(new.declared(func.body)) if isinstance(leaf, tir.AllocBuffer)]
    assert names == ["S_1", "S_2"]
    assert [(buffer.name, buffer.scope()) for buffer in declared[:2]] == [("S_1", "local.fragment"), ("S_2", "shared")]
    assert declared[2].name == "S"
