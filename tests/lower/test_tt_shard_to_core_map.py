"""tt_shard_to_core_map: the cores in use, as at most two rectangles."""

import pytest

from tt_jit.target import Target

from .programs import WORMHOLE, after
from .test_infer_default_tt_schedule import kernel_on

PASS = "tt_shard_to_core_map"


def ranges(blocks: int, target: Target) -> list[list[int]]:
    return [[int(value) for value in box] for box in after(kernel_on(blocks), PASS, target).attrs["tt_core_ranges"]]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (1, [[0, 0, 0, 0]]),
        (7, [[0, 0, 6, 0]]),
        (8, [[0, 0, 7, 0]]),
        (59, [[0, 0, 7, 6], [0, 7, 2, 7]]),
        (64, [[0, 0, 7, 7]]),
        (5000, [[0, 0, 7, 7]]),
    ],
)
def test_ranges(blocks: int, expected: list[list[int]]) -> None:
    assert ranges(blocks, WORMHOLE) == expected


@pytest.mark.parametrize("blocks", [1, 12, 13, 14, 77, 129, 130, 131])
def test_every_core_that_works_is_in_exactly_one_range(blocks: int) -> None:
    boxes = ranges(blocks, Target.named("blackhole"))
    cores = [(x, y) for x0, y0, x1, y1 in boxes for y in range(y0, y1 + 1) for x in range(x0, x1 + 1)]
    assert sorted(cores, key=lambda core: (core[1], core[0])) == [(n % 13, n // 13) for n in range(min(blocks, 130))]
