"""Buffers that a pass adds: a name that no other buffer has, and the declarations in front of the body."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from tvm import tirx as tir

from .tile_ir import leaves, sequence

FRAGMENT_SCOPE = "local.fragment"


def unique_name(base: str, taken: Container[str]) -> str:
    """``base``, or the first of ``base_1``, ``base_2``, ... that is not taken."""
    name, number = base, 1
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


@dataclass(kw_only=True)
class NewBuffers:
    """The on-chip buffers that a pass adds to a function."""

    taken: set[str]
    buffers: list[tir.Buffer] = field(default_factory=list)

    @classmethod
    def of(cls, func: tir.PrimFunc) -> NewBuffers:
        """None yet; the names of the function's own buffers are taken."""
        return cls(taken={leaf.buffer.name for leaf in leaves(func.body) if isinstance(leaf, tir.AllocBuffer)})

    def allocate(
        self, base: str, shape: Sequence[tir.PrimExpr | int], dtype: str, *, scope: str = FRAGMENT_SCOPE
    ) -> tir.Buffer:
        """A new buffer, named after ``base``."""
        buffer = tir.decl_buffer(shape, dtype, unique_name(base, self.taken), scope=scope)
        self.taken.add(buffer.name)
        self.buffers.append(buffer)
        return buffer

    def declared(self, body: tir.Stmt) -> tir.Stmt:
        """The declarations of the new buffers, then ``body``."""
        return sequence([*map(tir.AllocBuffer, self.buffers), body])
