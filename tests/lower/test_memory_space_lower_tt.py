"""memory_space_lower_tt: ids, formats and depths of circular buffers, and what does not fit."""

import pytest
import tilelang.language as T
from tvm import tirx as tir

from tt_jit.errors import L1OverflowError
from tt_jit.lower.memory_space_lower_tt import CircularBuffer, circular_buffers

from .programs import WORMHOLE, after, line_of, refusal

PASS = "memory_space_lower_tt"


def gemm(block: int, stages: int, steps: int = 4, dtype: str = "bfloat16") -> tir.PrimFunc:
    @T.prim_func
    def kernel(
        A: T.Tensor((block, steps * block), dtype),
        B: T.Tensor((steps * block, block), dtype),
        C: T.Tensor((block, block), dtype),
    ):
        with T.Kernel(1):
            A_shared = T.alloc_shared((block, block), dtype)
            B_shared = T.alloc_shared((block, block), dtype)
            C_local = T.alloc_fragment((block, block), "float32")
            T.clear(C_local)
            for k in T.Pipelined(steps, num_stages=stages):
                T.copy(A[0, k * block], A_shared)
                T.copy(B[k * block, 0], B_shared)
                T.gemm(A_shared, B_shared, C_local)
            T.copy(C_local, C)

    return kernel


def rings(func: tir.PrimFunc) -> dict[str, CircularBuffer]:
    return circular_buffers(after(func, PASS))


def test_the_attribute() -> None:
    result = after(gemm(64, 3), PASS)
    assert int(result.attrs["tt_num_cbs"]) == 4
    stream = {"format": "Float16_b", "page_size": 2048, "tiles": 4, "unpack_to_dest_fp32": False}
    into = {"producer": "reader", "consumer": "compute"}
    assert circular_buffers(result) == {
        "A_shared": CircularBuffer(name="A_shared", id=0, pages=12, **stream, **into),
        "B_shared": CircularBuffer(name="B_shared", id=1, pages=12, **stream, **into),
        "C_local": CircularBuffer(
            name="C_local",
            id=2,
            format="Float32",
            page_size=4096,
            tiles=4,
            pages=4,
            unpack_to_dest_fp32=True,
            producer="compute",
            consumer="compute",
        ),
        "C_local_out": CircularBuffer(
            name="C_local_out", id=3, pages=8, **stream, producer="compute", consumer="writer"
        ),
    }


@pytest.mark.parametrize(("stages", "blocks"), [(0, 2), (1, 2), (2, 2), (3, 3), (4, 4)])
def test_streams_are_as_deep_as_the_pipeline(stages: int, blocks: int) -> None:
    assert rings(gemm(64, stages))["A_shared"].pages == blocks * 4


def test_float32_operands_of_the_matrix_engine_go_through_its_source_registers() -> None:
    found = rings(gemm(64, 2, dtype="float32"))
    assert not found["A_shared"].unpack_to_dest_fp32 and not found["B_shared"].unpack_to_dest_fp32
    assert found["C_local"].unpack_to_dest_fp32


def test_streams_get_shallower_where_memory_is_short() -> None:
    found = rings(gemm(256, 4))
    assert sum(ring.bytes for ring in found.values()) <= WORMHOLE.l1_usable_bytes
    assert found["C_local"].pages == 64
    assert all(ring.pages % ring.tiles == 0 for ring in found.values())
    assert found["A_shared"].pages < 4 * 64


def test_refuses_what_does_not_fit_and_says_who_takes_what() -> None:
    error = refusal(gemm(512, 2), PASS)
    assert isinstance(error, L1OverflowError)
    assert error.message == (
        "the on-chip buffers need 2,621,440 B of L1 per core; wormhole_b0 has 1,391,000 B for them "
        "(C_local 256 tiles of Float32 = 1,048,576 B, A_shared 256 tiles of Float16_b = 524,288 B, "
        "B_shared 256 tiles of Float16_b = 524,288 B, C_local_out 256 tiles of Float16_b = 524,288 B)"
    )
    assert error.hint == "use smaller block sizes, fewer stages, or narrower dtypes for the largest buffers"
    assert line_of(error) == 'C_local = T.alloc_fragment((block, block), "float32")'


def many_tiles(number: int, *, together: bool) -> tir.PrimFunc:
    """A kernel of ``number`` tiles, which are on chip ``together`` or one after another."""
    width = number * 32
    source = [
        "@T.prim_func",
        f"def kernel(A: T.Tensor((32, {width}), 'float32'), C: T.Tensor((32, {width}), 'float32')):",
        "    with T.Kernel(1):",
    ]
    loads = [f"        T.copy(A[0, {n * 32}], tile{n})" for n in range(number)]
    stores = [f"        T.copy(tile{n}, C[0, {n * 32}])" for n in range(number)]
    source += [f"        tile{n} = T.alloc_shared((32, 32), 'float32')" for n in range(number)]
    turns = [line for pair in zip(loads, stores, strict=True) for line in pair]
    return traced_from("\n".join([*source, *((loads + stores) if together else turns)]))


def test_refuses_more_buffers_at_a_time_than_the_chip_has_rings() -> None:
    error = refusal(many_tiles(33, together=True), PASS)
    assert isinstance(error, L1OverflowError)
    assert error.message.startswith(
        "the kernel needs 33 circular buffers at the same time; wormhole_b0 has 32: tile0, tile1, "
    )
    assert error.hint == "reuse shared and fragment buffers, or split the kernel"


def test_buffers_that_are_never_in_use_together_share_rings() -> None:
    found = circular_buffers(after(many_tiles(40, together=False), PASS))
    assert len(found) == 40
    ids = [ring.id for ring in found.values()]
    assert sorted(set(ids)) == list(range(32))
    for ring in found.values():
        same = [other for other in found.values() if other.id == ring.id]
        assert {(o.format, o.page_size, o.pages, o.tiles, o.producer, o.consumer) for o in same} == {
            (ring.format, ring.page_size, ring.pages, ring.tiles, ring.producer, ring.consumer)
        }


def test_nothing_is_shared_where_all_fits() -> None:
    found = circular_buffers(after(many_tiles(20, together=False), PASS))
    assert len({ring.id for ring in found.values()}) == 20


def test_intermediates_take_turns_where_memory_is_short() -> None:
    @T.prim_func
    def kernel(A: T.Tensor((256, 256), "float32"), C: T.Tensor((256, 256), "float32")):
        with T.Kernel(1):
            x = T.alloc_shared((256, 256), "float32")
            first = T.alloc_fragment((256, 256), "float32")
            second = T.alloc_fragment((256, 256), "float32")
            third = T.alloc_fragment((256, 256), "float32")
            T.copy(A, x)
            T.copy(x, first)
            for i, j in T.Parallel(256, 256):
                second[i, j] = first[i, j] * first[i, j]
            T.copy(second, third)
            for i, j in T.Parallel(256, 256):
                second[i, j] = third[i, j] * third[i, j]
            T.copy(second, C)

    found = circular_buffers(after(kernel, PASS))
    assert found["first"].id == found["third"].id != found["second"].id
    assert sum(ring.bytes for ring in {ring.id: ring for ring in found.values()}.values()) <= WORMHOLE.l1_usable_bytes


def traced_from(source: str) -> tir.PrimFunc:
    """The kernel that ``source`` defines (TileLang reads the source of a function, so it must be in a file)."""
    import importlib.util
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "many_buffers.py"
        path.write_text("import tilelang.language as T\n\n" + source + "\n")
        spec = importlib.util.spec_from_file_location("many_buffers", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.kernel
