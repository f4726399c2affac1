"""The part of the einops package that TileLang's examples use, for machines without it: rearrange, repeat, reduce
and einsum."""

import re
from typing import Any

import torch

Axes = list[list[str]]
_SPREAD = "*"
"""A bare ellipsis: one group for each axis. Inside parentheses ("...") it is one group of all of them."""


def _parse(side: str) -> Axes:
    """``"b (h d) ..."`` -> [["b"], ["h", "d"], ["..."]]"""
    axes: Axes = []
    for group in re.findall(r"\([^)]*\)|\S+", side):
        axes.append(group.strip("()").split() if group.startswith("(") else [_SPREAD if group == "..." else group])
    return axes


def _sizes(axes: Axes, shape: torch.Size, known: dict[str, int]) -> dict[str, int]:
    sizes = dict(known)
    for group, extent in zip(axes, shape, strict=True):
        product, unknown = 1, None
        for name in group:
            if name.isdigit():
                product *= int(name)
            elif name in sizes:
                product *= sizes[name]
            else:
                unknown = name
        if unknown is not None:
            sizes[unknown] = extent // product
    return sizes


def _expand_ellipsis(left: Axes, right: Axes, rank: int) -> tuple[Axes, Axes]:
    extra = [f"_{index}" for index in range(rank - sum(group != [_SPREAD] for group in left))]

    def expand(axes: Axes) -> Axes:
        result: Axes = []
        for group in axes:
            if group == [_SPREAD]:
                result.extend([name] for name in extra)
            else:
                result.append([inner for name in group for inner in (extra if name == "..." else [name])])
        return result

    return expand(left), expand(right)


def _transform(tensor: torch.Tensor, pattern: str, known: dict[str, int], reduction: str | None = None) -> torch.Tensor:
    left_text, right_text = pattern.split("->")
    left, right = _expand_ellipsis(_parse(left_text), _parse(right_text), tensor.dim())
    sizes = _sizes(left, tensor.shape, known)
    flat_left = [name for group in left for name in group]
    flat_right = [name for group in right for name in group if name != "1"]
    result = tensor.reshape([1 if name == "1" else sizes[name] for name in flat_left])
    names = list(flat_left)
    for position in reversed(range(len(names))):
        if names[position] == "1" or names[position] not in flat_right:
            if names[position] == "1":
                result = result.squeeze(position)
            else:
                result = getattr(
                    result, {"mean": "mean", "sum": "sum", "max": "amax", "min": "amin"}[reduction or "sum"]
                )(position)
            del names[position]
    for name in flat_right:
        if name not in names:
            result = result.unsqueeze(-1).expand(*result.shape, sizes[name])
            names.append(name)
    result = result.permute([names.index(name) for name in flat_right])
    shape = []
    for group in right:
        extent = 1
        for name in group:
            extent *= 1 if name == "1" else sizes[name]
        shape.append(extent)
    return result.reshape(shape)


def rearrange(tensor: torch.Tensor, pattern: str, **sizes: int) -> torch.Tensor:
    return _transform(tensor, pattern, sizes)


def repeat(tensor: torch.Tensor, pattern: str, **sizes: int) -> torch.Tensor:
    return _transform(tensor, pattern, sizes)


def reduce(tensor: torch.Tensor, pattern: str, reduction: str, **sizes: int) -> torch.Tensor:
    return _transform(tensor, pattern, sizes, reduction)


def einsum(*arguments: Any) -> torch.Tensor:
    """Tensors, then a pattern with names of several letters."""
    *tensors, pattern = arguments
    letters: dict[str, str] = {}

    def shorten(side: str) -> str:
        return "".join(letters.setdefault(name, chr(ord("a") + len(letters))) for name in side.split())

    left, right = pattern.split("->")
    inputs = ",".join(shorten(side) for side in left.split(","))
    return torch.einsum(f"{inputs}->{shorten(right)}", *tensors)
