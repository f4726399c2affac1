"""Buffers of the reference interpreter: storage shared by aliasing buffers, element access by lanes, and regions
of tile operations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .formats import Formats, UnsupportedByInterpreter, Value, is_float, native_dtype

Array = np.ndarray[Any, Any]


@dataclass(kw_only=True)
class Storage:
    """The memory behind one data Var. ``lanes`` is set for per-thread memory that has diverged between lanes."""

    values: Array
    dtype: str
    formats: Formats
    lanes: tuple[int, ...] | None = None
    views: dict[tuple[str, tuple[int, ...]], Array] = field(default_factory=dict)

    @staticmethod
    def allocate(dtype: str, elements: int, formats: Formats) -> "Storage":
        """Uninitialised memory: floats are NaN unless told otherwise, so that a kernel that depends on them shows."""
        fill = formats.uninitialised if is_float(dtype) else 0
        return Storage(values=np.full(elements, fill, formats.compute_dtype(dtype)), dtype=dtype, formats=formats)

    def view(self, dtype: str, shape: tuple[int, ...]) -> Array:
        """This memory as an array; a second dtype reinterprets the bits."""
        found = self.views.get((dtype, shape))
        if found is not None:
            return found
        if dtype != self.dtype:
            self._change_dtype(dtype)
        elements = math.prod(shape)
        lanes = self.lanes or ()
        flat = self.values.reshape(*lanes, -1)
        if elements > flat.shape[-1]:
            raise UnsupportedByInterpreter(f"a view of {elements} elements of a buffer of {flat.shape[-1]}")
        result = flat[..., :elements].reshape(*lanes, *shape)
        self.views[dtype, shape] = result
        return result

    def _change_dtype(self, dtype: str) -> None:
        old, new = native_dtype(self.dtype), native_dtype(dtype)
        self.values = self.values.astype(old).view(new).astype(self.formats.compute_dtype(dtype))
        self.dtype = dtype
        self.views.clear()

    def diverge(self, lanes: tuple[int, ...]) -> None:
        """Gives every lane its own copy of this memory."""
        current = self.lanes or (1,) * len(lanes)
        wanted = tuple(max(a, b) for a, b in zip(current, lanes, strict=True))
        if self.lanes != wanted:
            flat = self.values.reshape(*current, -1)
            self.values = np.broadcast_to(flat, (*wanted, flat.shape[-1])).copy()
            self.lanes = wanted
            self.views.clear()

    def converge(self, first_axis: int) -> None:
        """Ends the lanes from ``first_axis`` on: the value of the last lane remains."""
        if self.lanes is None:
            return
        keep = self.lanes[:first_axis] + (1,) * (len(self.lanes) - first_axis)
        index = (slice(None),) * first_axis + (slice(-1, None),) * (len(self.lanes) - first_axis)
        flat = self.values.reshape(*self.lanes, -1)[index]
        self.values = np.ascontiguousarray(flat)
        self.lanes = keep
        if all(extent == 1 for extent in keep):
            self.values, self.lanes = self.values.reshape(-1), None
        self.views.clear()


def _inside(indices: Sequence[Value], shape: Sequence[int]) -> Value:
    """True where every index is inside; the plain True when all are."""
    inside: Value = True
    for index, extent in zip(indices, shape, strict=True):
        if isinstance(index, np.ndarray):
            if index.size and (index.min() < 0 or index.max() >= extent):
                inside = np.logical_and(inside, (index >= 0) & (index < extent))
        elif not 0 <= index < extent:
            return False
    return inside


def _clip(indices: Sequence[Value], shape: Sequence[int]) -> tuple[Value, ...]:
    return tuple(np.clip(index, 0, extent - 1) for index, extent in zip(indices, shape, strict=True))


def _lane_indices(lanes: Sequence[int]) -> tuple[Array, ...]:
    rank = len(lanes)
    return tuple(np.arange(n).reshape((1,) * a + (n,) + (1,) * (rank - a - 1)) for a, n in enumerate(lanes))


def gather(storage: Storage, dtype: str, shape: tuple[int, ...], indices: Sequence[Value], outside: Value) -> Value:
    """The elements at ``indices`` (arrays over the lanes, or numbers); ``outside`` where an index is out of range."""
    view = storage.view(dtype, shape)
    if 0 in shape:
        return outside
    inside = _inside(indices, shape)
    if inside is False:
        return outside
    lanes = _lane_indices(storage.lanes) if storage.lanes else ()
    if inside is True:
        return view[(*lanes, *indices)]
    values = view[(*lanes, *_clip(indices, shape))]
    return np.where(inside, values, np.asarray(outside, values.dtype))


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a store of many lanes goes: the array to index, its index tuple, and the lanes that take part."""

    view: Array
    index: tuple[Value, ...]
    active: Value


def scatter_target(
    storage: Storage,
    dtype: str,
    shape: tuple[int, ...],
    indices: Sequence[Value],
    mask: Value,
    *,
    value: Value,
    private: bool = False,
    rank: int = 0,
    thread_axes: int = 0,
) -> Target:
    """The destination of a store by lanes. ``private`` memory gets one copy for each lane that stores differently.

    Lanes of a loop that picks the element (``local[k]`` in a loop over k) belong to one thread and share its memory.
    """
    active = _inside(indices, shape)
    if mask is not None:
        active = np.logical_and(active, mask)
    if private:
        arrays = [a for a in (*indices, value, active) if isinstance(a, np.ndarray) and a.ndim == rank]
        if arrays or storage.lanes:
            extents = list(np.broadcast_shapes(*(a.shape for a in arrays)) if arrays else (1,) * rank)
            for axis in range(thread_axes, rank):
                if any(isinstance(index, np.ndarray) and index.shape[axis] != 1 for index in indices):
                    extents[axis] = 1
            storage.diverge(tuple(extents))
            lanes = _lane_indices(storage.lanes or ())
            return Target(view=storage.view(dtype, shape), index=(*lanes, *_clip(indices, shape)), active=active)
    return Target(view=storage.view(dtype, shape), index=_clip(indices, shape), active=active)


def scatter(target: Target, value: Value) -> None:
    """Stores ``value`` lane by lane; where lanes meet, the last one wins."""
    if target.active is False:
        return
    if target.active is True:
        shape = np.broadcast_shapes(*(np.shape(i) for i in target.index), np.shape(value))
        target.view[tuple(np.broadcast_to(i, shape) for i in target.index)] = value
        return
    shape = np.broadcast_shapes(*(np.shape(i) for i in target.index), np.shape(value), np.shape(target.active))
    chosen = np.broadcast_to(target.active, shape)
    index = tuple(np.broadcast_to(i, shape)[chosen] for i in target.index)
    target.view[index] = np.broadcast_to(value, shape)[chosen]


def accumulate(target: Target, ufunc: np.ufunc, value: Value, lanes: tuple[int, ...]) -> None:
    """``view[index] = ufunc(view[index], value)`` for every lane in turn, repeated indices included."""
    if target.active is False:
        return
    shape = np.broadcast_shapes(*(np.shape(i) for i in target.index), np.shape(value), np.shape(target.active), lanes)
    chosen = np.broadcast_to(target.active, shape)
    index = tuple(np.broadcast_to(i, shape)[chosen] for i in target.index)
    ufunc.at(target.view, index, np.broadcast_to(value, shape)[chosen].astype(target.view.dtype))


@dataclass(frozen=True, kw_only=True)
class Region:
    """A box of a buffer, as tile operations name it. It may reach over the edges of the buffer."""

    view: Array
    dtype: str
    starts: tuple[int, ...]
    extents: tuple[int, ...]
    outside: Value = 0

    def _overlap(self) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        inner, outer = [], []
        for start, extent, size in zip(self.starts, self.extents, self.view.shape, strict=True):
            low, high = max(start, 0), min(start + extent, size)
            high = max(low, high)
            inner.append(slice(low, high))
            outer.append(slice(low - start, high - start))
        return tuple(inner), tuple(outer)

    def whole(self) -> bool:
        return all(
            0 <= start and start + extent <= size
            for start, extent, size in zip(self.starts, self.extents, self.view.shape, strict=True)
        )

    def read(self) -> Array:
        """The values; outside the buffer they are ``outside``. May share memory with the buffer."""
        inner, outer = self._overlap()
        if self.whole():
            return self.view[inner]
        result = np.full(self.extents, self.outside, self.view.dtype)
        result[outer] = self.view[inner]
        return result

    def write(self, values: Array) -> None:
        """Stores ``values`` (of this region's extents); what falls outside the buffer is dropped."""
        inner, outer = self._overlap()
        self.view[inner] = values[outer]

    def squeezed(self) -> tuple[int, ...]:
        return tuple(extent for extent in self.extents if extent != 1)
