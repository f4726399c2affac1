"""tt.plan.json: round trip, the published schema, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import tt_jit
from tt_jit.errors import PlanError
from tt_jit.expression import Expression
from tt_jit.plan import FlatLayout, Plan, RowMajorLayout, TileLayout, Work

SCHEMA = json.loads((Path(tt_jit.__file__).parent / "plan.schema.json").read_text())
EXAMPLE = Path(__file__).with_name("example.plan.json").read_text()


def broken(path: str, value: object) -> str:
    """The example with one field replaced; `path` as in programs/0/work."""
    document = json.loads(EXAMPLE)
    *parents, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = document
    for step in parents:
        place = place[step]
    place[last] = value
    return json.dumps(document)


def test_round_trip_keeps_every_byte() -> None:
    assert Plan.from_json(EXAMPLE).to_json() == EXAMPLE


def test_what_is_written_satisfies_the_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(Plan.from_json(EXAMPLE).to_json()), SCHEMA)


def test_the_bits_of_int64_values_are_kept() -> None:
    text = broken("tensors/0/value_bits", 30)
    plan = Plan.from_json(text)
    assert [tensor.value_bits for tensor in plan.tensors][:2] == [30, None]
    assert json.loads(plan.to_json()) == json.loads(text)
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", 2, "plan.version: got 2"),
        ("grid", [8], "plan.grid: expected two integers"),
        ("colour", "red", "plan: unknown field 'colour'"),
        ("tensors/0/format", "Float16", "plan.tensors[0].format: expected one of Float32"),
        ("tensors/0/value_bits", "all", "plan.tensors[0].value_bits: expected an integer"),
        ("tensors/0/layout/row_block", 0, "does not fit rank 2"),
        ("tensors/0/layout/kind", "tiled", "plan.tensors[0].layout.kind: expected one of tile, flat, row_major"),
        ("programs/0/kernels/0/role", "loader", "plan.programs[0].kernels[0].role: expected one of reader"),
        ("programs/0/kernels/0/common_args/0/kind", "scalar", "kernels[0].common_args[0]: field 'scalar' is missing"),
        ("programs/0/circular_buffers/0/pages", True, "circular_buffers[0].pages: expected an integer"),
        ("programs/0/work/max_cores", -1, "plan.programs[0].work.max_cores: expected an integer of at least 0"),
    ],
)
def test_schema_violations_are_refused_with_their_path(path: str, value: object, message: str) -> None:
    text = broken(path, value)
    with pytest.raises(PlanError) as caught:
        Plan.from_json(text)
    assert message in str(caught.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("symbols/0/dim", 5, "no tensor has the dimension A.shape[5]"),
        ("tensors/0/shape", ["q", 1024], "tensor 'A': shape: 'q' uses 'q', which the plan does not define"),
        ("tensors/1/name", "A", "tensors: 'A' occurs twice"),
        ("tensors/0/layout/outer", [0], "does not fit rank 2"),
        ("programs/0/work/total", "rows", "work.total: 'rows' uses 'rows'"),
        ("programs/0/circular_buffers/1/alias_of", 9, "alias of 9, which owns no memory"),
        ("programs/0/circular_buffers/1/pages", 4, "circular buffers 0 and 1 share memory but differ in bytes"),
        ("programs/0/semaphores/0/id", 1, "semaphore ids must count from 0"),
        ("programs/0/kernels/0/compile_time_args", [{"tensor_accessor": "Z"}], "tensor accessor of unknown tensor 'Z'"),
        ("programs/0/kernels/0/common_args/0/tensor", "Z", "argument 'A_address': unknown tensor 'Z'"),
        ("programs/0/kernels/1/common_args", [{"name": "x", "kind": "scalar", "scalar": "x"}], "unknown scalar 'x'"),
        ("programs/0/kernels/1/role", "reader", "roles: 'reader' occurs twice"),
    ],
)
def test_dangling_references_are_refused(path: str, value: object, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan.from_json(broken(path, value))
    assert message in str(caught.value)


def test_truncated_json_is_refused() -> None:
    with pytest.raises(PlanError, match="is not JSON"):
        Plan.from_json(EXAMPLE[:100])


def test_work_shares_cover_everything_once() -> None:
    work = Work(total=Expression.parse("m"), max_cores=4)
    assert work.shares({"m": 10}) == [(0, 3), (3, 3), (6, 2), (8, 2)]
    assert work.shares({"m": 2}) == [(0, 1), (1, 1), (2, 0), (2, 0)], "dynamic: every core"
    assert work.shares({"m": 0}) == [(0, 0)] * 4
    static = Work(total=Expression.parse(2), max_cores=4)
    assert static.shares({}) == [(0, 1), (1, 1)], "static: only the used cores"


def test_page_geometry() -> None:
    plain = TileLayout(outer=(0, 2), row=1, col=3)
    assert plain.grid((2, 33, 3, 64)) == (6, 2, 2)
    assert plain.page_count((2, 33, 3, 64)) == 24
    blocked = TileLayout(outer=(), row=0, col=None, row_block=48)
    assert blocked.grid((100,)) == (1, 6, 1), "three blocks of 48, each two tiles"
    assert FlatLayout(outer=(0,), dim=1).page_count((3, 1025)) == 6
    assert RowMajorLayout(page_dims=1).page_count((4, 5)) == 4
    assert RowMajorLayout(page_dims=1).page_bytes((4, 5), "Float32") == 64
    assert RowMajorLayout(page_dims=2).page_bytes((4, 5), "Float32") == 128
    assert RowMajorLayout(page_dims=0).page_count((4, 5)) == 20
