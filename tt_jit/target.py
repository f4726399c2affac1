"""Chip tables: what the compiler and the runtimes must know of a Tenstorrent chip.

Sources: the ttnn 0.81.1 headers and descriptors (grid, L1 map, alignment, DST limits) and Tenstorrent's ISA
documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

TILE_HEIGHT = 32
TILE_WIDTH = 32
TILE_ELEMENTS = TILE_HEIGHT * TILE_WIDTH


@dataclass(frozen=True, kw_only=True)
class Target:
    """One chip as a compilation target.

    Sizes are bytes; ``grid`` is (columns, rows) of worker cores; ``dst_tiles_*`` is the capacity of one half of the
    DST register file, in 32x32 tiles, for 16-bit and 32-bit destination modes; ``worker_origin`` are the NoC
    coordinates of worker core (0, 0), as the chip translates them.
    """

    arch: str
    grid: tuple[int, int]
    l1_bytes: int
    l1_usable_bytes: int
    l1_base: int
    max_circular_buffers: int
    dst_tiles_16bit: int
    dst_tiles_32bit: int
    dram_banks: int
    dram_read_alignment: int
    l1_alignment: int
    noc_max_burst: int
    worker_origin: tuple[int, int]

    @property
    def num_cores(self) -> int:
        """Worker cores that a program may use."""
        return self.grid[0] * self.grid[1]

    def with_grid(self, columns: int, rows: int) -> Target:
        """The same chip with another worker grid (harvested parts, or a grid read from an open device)."""
        return replace(self, grid=(columns, rows))

    @staticmethod
    def named(name: str) -> Target:
        """The target called ``name``; raises ValueError that lists the known names."""
        if name not in TARGETS:
            raise ValueError(f"unknown target {name!r}: need one of {', '.join(sorted(TARGETS))}")
        return TARGETS[name]


WORMHOLE_B0 = Target(
    arch="wormhole_b0",
    grid=(8, 8),
    l1_bytes=1_499_136,
    l1_usable_bytes=1_391_000,
    l1_base=105_824,
    max_circular_buffers=32,
    dst_tiles_16bit=8,
    dst_tiles_32bit=4,
    dram_banks=12,
    dram_read_alignment=32,
    l1_alignment=16,
    noc_max_burst=8192,
    worker_origin=(18, 18),
)

BLACKHOLE = Target(
    arch="blackhole",
    grid=(13, 10),
    l1_bytes=1_572_864,
    l1_usable_bytes=1_459_000,
    l1_base=111_744,
    max_circular_buffers=32,
    dst_tiles_16bit=8,
    dst_tiles_32bit=4,
    dram_banks=8,
    dram_read_alignment=64,
    l1_alignment=16,
    noc_max_burst=16384,
    worker_origin=(1, 2),
)

TARGETS = {chip.arch: chip for chip in (WORMHOLE_B0, BLACKHOLE)}
