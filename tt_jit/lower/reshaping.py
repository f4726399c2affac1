"""Two shapes of the same memory: which dims hold the same elements, and where an index of one lies in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from .tile_ir import PrimExpr


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A run of elements that both shapes have: its length and the dim of each shape that it is part of."""

    size: int
    view_dim: int
    own_dim: int


@dataclass(frozen=True, kw_only=True)
class Reshaping:
    """A view and its memory as products of common factors, outermost first; ``groups`` are merged or split together.

    (64, 4, 32) as a view of (64, 128) has the factors 64 | 4, 32: two groups, the second one splits a dim.
    """

    groups: tuple[tuple[Factor, ...], ...]

    @property
    def keeps_dims(self) -> bool:
        """Whether dims of more than one element are the same in both shapes."""
        return all(len(group) == 1 for group in self.groups)


def reshaping(view: Sequence[int], own: Sequence[int]) -> Reshaping | None:
    """How the shape ``view`` lies in ``own``; None where one is not made of the other's factors."""
    views = [(size, dim) for dim, size in enumerate(view) if size != 1]
    owns = [(size, dim) for dim, size in enumerate(own) if size != 1]
    groups: list[tuple[Factor, ...]] = []
    group: list[Factor] = []
    while views and owns:
        (left, view_dim), (right, own_dim) = views.pop(), owns.pop()
        size = min(left, right)
        if left % size or right % size:
            return None
        group.append(Factor(size=size, view_dim=view_dim, own_dim=own_dim))
        if left > size:
            views.append((left // size, view_dim))
        if right > size:
            owns.append((right // size, own_dim))
        if left == right:
            groups.append(tuple(reversed(group)))
            group = []
    return None if views or owns or group else Reshaping(groups=tuple(reversed(groups)))


def own_indices(
    indices: Sequence[PrimExpr], view: Sequence[int], own: Sequence[int], analyzer: tvm.arith.Analyzer
) -> list[PrimExpr]:
    """The indices into the memory of shape ``own`` of the element ``indices`` of a view of shape ``view``."""
    shapes = reshaping(view, own)
    if shapes is None:
        return _unravelled(_linear(indices, view), own, analyzer)
    result: list[PrimExpr] = [tir.IntImm("int32", 0) for _ in own]
    for group in shapes.groups:
        parts = _components([indices[factor.view_dim] for factor in group], group)
        for factor, part in zip(group, parts, strict=True):
            result[factor.own_dim] = result[factor.own_dim] * factor.size + part
    return [analyzer.simplify(index) for index in result]


def _components(indices: list[PrimExpr], group: tuple[Factor, ...]) -> list[PrimExpr]:
    """The position within each factor of a group, given the index of the view's dim that each is part of."""
    parts: list[PrimExpr] = []
    for number, (index, factor) in enumerate(zip(indices, group, strict=True)):
        inner, outermost = 1, True
        for other, later in enumerate(group):
            if later.view_dim == factor.view_dim:
                inner *= later.size if other > number else 1
                outermost = outermost and other >= number
        part = tir.floordiv(index, inner) if inner > 1 else index
        parts.append(part if outermost else tir.floormod(part, factor.size))
    return parts


def _linear(indices: Sequence[PrimExpr], shape: Sequence[int]) -> PrimExpr:
    position: PrimExpr = tir.IntImm("int32", 0)
    for index, size in zip(indices, shape, strict=True):
        position = position * size + index
    return position


def _unravelled(position: PrimExpr, shape: Sequence[int], analyzer: tvm.arith.Analyzer) -> list[PrimExpr]:
    indices: list[PrimExpr] = []
    for number, size in reversed(list(enumerate(shape))):
        indices.append(analyzer.simplify(tir.floormod(position, size) if number else position))
        position = tir.floordiv(position, size)
    return list(reversed(indices))
