"""TIR expressions compiled to Python closures over a frame of variable slots.

A closure returns a number, or a numpy array over the lanes of the enclosing parallel loops (and threads, where the
kernel names its thread index). Every array has one axis per lane dimension, so that broadcasting does the rest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tilelang import tvm

from .formats import Formats, UnsupportedByInterpreter, Value, is_float, is_integer, narrow_integers, wrap_integer
from .intrinsics import BINARY, IGNORED_WRAPPERS, LAST_WORDS, UNARY, UNARY_PREDICATES
from .memory import Array, Region, Storage, gather

tirx = tvm.tirx
Frame = list[Any]
Evaluate = Callable[[Frame], Value]

MASK = 0  # slot of the mask of active lanes (None: all)
FIRST_FREE_SLOT = 1
PRIVATE_SCOPES = ("local", "local.var")


def operator_name(call: "tirx.Call") -> str:
    """``exp2`` for tirx.exp2, ``tileop.copy`` for tl.tileop.copy."""
    name = str(call.op.name) if isinstance(call.op, tvm.ir.Op) else str(call.op)
    return name.split(".", 1)[1] if name.split(".", 1)[0] in ("tirx", "tir", "tl") else name


@dataclass(kw_only=True)
class Scope:
    """What compilation knows about names: slots of Vars and storages, lane axes, Binds used as macros."""

    formats: Formats
    rank: int = 0
    slots: dict[Any, int] = field(default_factory=dict)
    storages: dict[Any, int] = field(default_factory=dict)
    lane_axis: dict[Any, int] = field(default_factory=dict)
    lane_dependent: set[Any] = field(default_factory=set)
    macros: dict[Any, Any] = field(default_factory=dict)
    safe_values: dict[Any, Any] = field(default_factory=dict)
    size: int = FIRST_FREE_SLOT

    def slot(self, var: Any) -> int:
        if var not in self.slots:
            self.slots[var] = self.size
            self.size += 1
        return self.slots[var]

    def storage_slot(self, data: Any) -> int:
        if data not in self.storages:
            self.storages[data] = self.size
            self.size += 1
        return self.storages[data]


@dataclass(kw_only=True)
class BufferAccess:
    """A buffer as closures see it: where its storage is, and its shape (which may have symbols)."""

    slot: int
    dtype: str
    static_shape: tuple[int, ...] | None
    shape: tuple[Evaluate, ...]
    name: str
    scope: str

    def storage(self, frame: Frame) -> Storage:
        storage: Storage | None = frame[self.slot]
        if storage is None:
            raise UnsupportedByInterpreter(f"buffer {self.name} is used before it is allocated")
        return storage

    def shape_of(self, frame: Frame) -> tuple[int, ...]:
        return self.static_shape or tuple(int(extent(frame)) for extent in self.shape)

    def view(self, frame: Frame) -> Array:
        return self.storage(frame).view(self.dtype, self.shape_of(frame))


class ExpressionCompiler:
    """Compiles PrimExprs of one PrimFunc."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.formats = scope.formats
        self.fetch_atomic: Callable[[Any], Evaluate] | None = None

    # Facts about expressions

    def is_lane_free(self, expr: Any) -> bool:
        """True if the value is one number, whatever the lane."""
        free = True

        def visit(node: Any) -> None:
            nonlocal free
            if isinstance(node, tirx.Var):
                if node in self.scope.lane_axis or node in self.scope.lane_dependent:
                    free = False
                elif node in self.scope.macros and not self.is_lane_free(self.scope.macros[node]):
                    free = False
            elif isinstance(node, tirx.BufferLoad) and node.buffer.scope() in PRIVATE_SCOPES and self.scope.rank:
                free = False
            elif isinstance(node, tirx.Call) and "_ret_" in str(getattr(node.op, "name", "")):
                free = False

        tirx.stmt_functor.post_order_visit(expr, visit)
        return free

    def lane_of_index(self, expr: Any) -> tuple[int | None, Any] | None:
        """(axis, rest) when ``expr`` is one lane variable plus a lane-free rest; (None, expr) when lane-free."""
        if self.is_lane_free(expr):
            return None, expr
        if isinstance(expr, tirx.Var) and expr in self.scope.lane_axis:
            return self.scope.lane_axis[expr], None
        if isinstance(expr, tirx.Add):
            for lane, rest in ((expr.a, expr.b), (expr.b, expr.a)):
                if isinstance(lane, tirx.Var) and lane in self.scope.lane_axis and self.is_lane_free(rest):
                    return self.scope.lane_axis[lane], rest
                inner = self.lane_of_index(lane) if isinstance(lane, tirx.Add) else None
                if inner and inner[0] is not None and self.is_lane_free(rest):
                    return inner[0], rest if inner[1] is None else inner[1] + rest
        return None

    # Compilation

    def compile(self, expr: Any) -> Evaluate:
        method = getattr(self, f"_compile_{type(expr).__name__}", None)
        if method is None:
            raise UnsupportedByInterpreter(f"expression {type(expr).__name__}: {expr}")
        closure: Evaluate = method(expr)
        return closure

    def _constant(self, value: Value) -> Evaluate:
        return lambda frame: value

    def _compile_IntImm(self, expr: Any) -> Evaluate:
        return self._constant(bool(expr.value) if expr.dtype == "bool" else int(expr.value))

    def _compile_FloatImm(self, expr: Any) -> Evaluate:
        return self._constant(self.formats.round_to(expr.dtype, float(expr.value)))

    def _compile_StringImm(self, expr: Any) -> Evaluate:
        return self._constant(str(expr.value))

    def _compile_Var(self, expr: Any) -> Evaluate:
        if expr in self.scope.macros:
            return self.compile(self.scope.macros[expr])
        if expr not in self.scope.slots:
            raise UnsupportedByInterpreter(f"variable {expr} has no definition")
        slot = self.scope.slots[expr]
        return lambda frame: frame[slot]

    _compile_SizeVar = _compile_Var

    def _rounded(self, dtype: str, compute: Evaluate) -> Evaluate:
        """Rounds after an operation, for dtypes narrower than what computes them; wraps Python integers."""
        round_to = self.formats.round_to
        if is_float(dtype):
            if self.formats.exact or dtype in ("float32", "float64"):
                return compute
            return lambda frame: round_to(dtype, compute(frame))
        if is_integer(dtype):

            def wrapped(frame: Frame) -> Value:
                value = compute(frame)
                return wrap_integer(value, dtype) if isinstance(value, int) else narrow_integers(value, dtype)

            return wrapped
        return compute

    def _arithmetic(self, expr: Any, operation: Callable[[Value, Value], Value]) -> Evaluate:
        left, right = self.compile(expr.a), self.compile(expr.b)
        return self._rounded(expr.dtype, lambda frame: operation(left(frame), right(frame)))

    def _compile_Add(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a + b)

    def _compile_Sub(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a - b)

    def _compile_Mul(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a * b)

    def _compile_Div(self, expr: Any) -> Evaluate:
        if is_float(expr.dtype):
            return self._arithmetic(expr, np.divide)

        def truncate(a: Value, b: Value) -> Value:
            if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
                return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(np.result_type(a))
            return int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)

        return self._arithmetic(expr, truncate)

    def _compile_Mod(self, expr: Any) -> Evaluate:
        def remainder(a: Value, b: Value) -> Value:
            if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
                return np.fmod(a, b)
            return int(math.fmod(a, b))

        return self._arithmetic(expr, remainder)

    def _compile_FloorDiv(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a // b)

    def _compile_FloorMod(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a % b)

    def _compile_Min(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, _minimum)

    def _compile_Max(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, _maximum)

    def _compile_EQ(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a == b)

    def _compile_NE(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a != b)

    def _compile_LT(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a < b)

    def _compile_LE(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a <= b)

    def _compile_GT(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a > b)

    def _compile_GE(self, expr: Any) -> Evaluate:
        return self._arithmetic(expr, lambda a, b: a >= b)

    def _compile_And(self, expr: Any) -> Evaluate:
        left, right = self.compile(expr.a), self.compile(expr.b)

        def conjunction(frame: Frame) -> Value:
            first = left(frame)
            if not isinstance(first, np.ndarray):
                return right(frame) if first else False
            return np.logical_and(first, right(frame))

        return conjunction

    def _compile_Or(self, expr: Any) -> Evaluate:
        left, right = self.compile(expr.a), self.compile(expr.b)

        def disjunction(frame: Frame) -> Value:
            first = left(frame)
            if not isinstance(first, np.ndarray):
                return True if first else right(frame)
            return np.logical_or(first, right(frame))

        return disjunction

    def _compile_Not(self, expr: Any) -> Evaluate:
        operand = self.compile(expr.a)
        return lambda frame: np.logical_not(operand(frame))

    def _choose(self, condition: Any, then_value: Any, else_value: Any) -> Evaluate:
        test, then, otherwise = self.compile(condition), self.compile(then_value), self.compile(else_value)

        def choose(frame: Frame) -> Value:
            chosen = test(frame)
            if not isinstance(chosen, np.ndarray):
                return then(frame) if chosen else otherwise(frame)
            return np.where(chosen, then(frame), otherwise(frame))

        return choose

    def _compile_Select(self, expr: Any) -> Evaluate:
        return self._choose(expr.condition, expr.true_value, expr.false_value)

    def _compile_Let(self, expr: Any) -> Evaluate:
        value = self.compile(expr.value)
        slot = self.scope.slot(expr.var)
        if not self.is_lane_free(expr.value):
            self.scope.lane_dependent.add(expr.var)
        body = self.compile(expr.body)

        def let(frame: Frame) -> Value:
            frame[slot] = value(frame)
            return body(frame)

        return let

    def _compile_Cast(self, expr: Any) -> Evaluate:
        operand, source, target, cast = self.compile(expr.value), expr.value.dtype, expr.dtype, self.formats.cast
        return lambda frame: cast(source, target, operand(frame))

    def _compile_BufferLoad(self, expr: Any) -> Evaluate:
        access = self.buffer(expr.buffer)
        indices = [self.compile(index) for index in expr.indices]
        outside = self.outside_value(expr.buffer)
        is_int = not is_float(access.dtype)
        is_global = access.scope == "global"

        def load(frame: Frame) -> Value:
            storage = access.storage(frame)
            shape = access.shape_of(frame)
            position = [index(frame) for index in indices]
            value = gather(storage, access.dtype, shape, position, outside(frame))
            if isinstance(value, np.ndarray):
                return value
            if (
                not is_global
                and any(not 0 <= i < n for i, n in zip(position, shape, strict=True))
                and frame[MASK] is None
            ):
                raise IndexError(f"{access.name}{position} is outside {shape}")
            return value if not is_int else bool(value) if access.dtype == "bool" else int(value)

        return self._sliced_load(expr, access, load) or load

    def _sliced_load(self, expr: Any, access: BufferAccess, general: Evaluate) -> Evaluate | None:
        """Loads with indices ``lane + offset`` as a slice of the array; falls back where the slice reaches over
        the edge."""
        plan = self.slice_plan(expr.indices)
        if plan is None or access.scope in PRIVATE_SCOPES:
            return None
        axes, offsets, lane_slots = plan
        order = [axis for axis in axes if axis is not None]
        permutation = tuple(np.argsort(order))
        rank = self.scope.rank

        def load(frame: Frame) -> Value:
            view = access.view(frame)
            index: list[Any] = []
            for axis, offset, slot, size in zip(axes, offsets, lane_slots, view.shape, strict=True):
                start = offset(frame)
                if axis is None:
                    if not 0 <= start < size:
                        return general(frame)
                    index.append(start)
                    continue
                lane = frame[slot].reshape(-1)
                if not lane.size:
                    return general(frame)
                low, high = start + int(lane[0]), start + int(lane[-1]) + 1
                if low < 0 or high > size:
                    return general(frame)
                index.append(slice(low, high))
            result = view[tuple(index)].transpose(permutation)
            full = [1] * rank
            for axis, extent in zip(sorted(order), result.shape, strict=True):
                full[axis] = extent
            return result.reshape(full)

        return load

    def slice_plan(self, indices: Any) -> tuple[list[int | None], list[Evaluate], list[int]] | None:
        """How to address a buffer by slices: per dimension its lane axis, offset and the lane variable's slot."""
        axes: list[int | None] = []
        offsets: list[Evaluate] = []
        slots: list[int] = []
        for index in indices:
            found = self.lane_of_index(index)
            if found is None or (found[0] is not None and found[0] in axes):
                return None
            axes.append(found[0])
            offsets.append(self._constant(0) if found[1] is None else self.compile(found[1]))
            lanes = [var for var in _variables(index) if var in self.scope.lane_axis]
            slots.append(self.scope.slots[lanes[0]] if lanes else -1)
        return (axes, offsets, slots) if any(axis is not None for axis in axes) else None

    def buffer(self, buffer: Any) -> BufferAccess:
        static = all(isinstance(extent, tirx.IntImm) for extent in buffer.shape)
        return BufferAccess(
            slot=self.scope.storage_slot(buffer.data),
            dtype=str(buffer.dtype),
            static_shape=tuple(int(extent) for extent in buffer.shape) if static else None,
            shape=tuple(self.compile(extent) for extent in buffer.shape),
            name=buffer.name,
            scope=buffer.scope(),
        )

    def outside_value(self, buffer: Any) -> Evaluate:
        """What reads over the edge give: 0, or the value of T.annotate_safe_value."""
        safe = self.scope.safe_values.get(buffer.data)
        return self._constant(0) if safe is None else self.compile(safe)

    def region(self, expr: Any) -> Callable[[Frame], Region]:
        """A ``tl.region(load, access, *extents)``, or a plain BufferLoad as a region of one element."""
        if isinstance(expr, tirx.BufferLoad):
            load, extents = expr, [tirx.IntImm("int32", 1)] * len(expr.indices)
        elif isinstance(expr, tirx.Call) and operator_name(expr) == "region":
            load, extents = expr.args[0], list(expr.args[2:])
        elif isinstance(expr, tirx.BufferRegion):
            load = tirx.BufferLoad(expr.buffer, [bounds.min for bounds in expr.region])
            extents = [bounds.extent for bounds in expr.region]
        else:
            raise UnsupportedByInterpreter(f"region {expr}")
        access = self.buffer(load.buffer)
        starts = [self.compile(index) for index in load.indices]
        sizes = [self.compile(extent) for extent in extents]
        outside = self.outside_value(load.buffer)

        def region(frame: Frame) -> Region:
            storage = access.storage(frame)
            if storage.lanes is not None:
                storage.converge(0)
            return Region(
                view=access.view(frame),
                dtype=access.dtype,
                starts=tuple(_uniform(start(frame)) for start in starts),
                extents=tuple(max(_uniform(size(frame)), 0) for size in sizes),
                outside=outside(frame),
            )

        return region

    def _compile_Call(self, expr: Any) -> Evaluate:
        name = operator_name(expr)
        name = LAST_WORDS.get(name, name)
        if name in UNARY:
            operand, function = self.compile(expr.args[0]), UNARY[name]
            return self._rounded(expr.dtype, lambda frame: function(operand(frame)))
        if name in UNARY_PREDICATES:
            operand, predicate = self.compile(expr.args[0]), UNARY_PREDICATES[name]
            return lambda frame: predicate(operand(frame))
        if name in BINARY:
            left, right, binary = self.compile(expr.args[0]), self.compile(expr.args[1]), BINARY[name]
            return self._rounded(expr.dtype, lambda frame: binary(left(frame), right(frame)))
        if name in IGNORED_WRAPPERS:
            return self.compile(expr.args[0])
        if name.startswith("atomic_") and "_ret_" in name and self.fetch_atomic is not None:
            return self.fetch_atomic(expr)
        special = getattr(self, f"_call_{name}", None)
        if special is None:
            raise UnsupportedByInterpreter(f"intrinsic {name}")
        closure: Evaluate = special(expr)
        return closure

    def _call_if_then_else(self, expr: Any) -> Evaluate:
        return self._choose(*expr.args)

    def _call_infinity(self, expr: Any) -> Evaluate:
        return self._constant(
            self.formats.round_to(expr.dtype, math.inf)
            if expr.dtype in ("float32", "float64")
            else self.formats.compute_dtype(expr.dtype).type(math.inf)
        )

    def _call_max_value(self, expr: Any) -> Evaluate:
        return self._constant(_limit(expr.dtype, 1))

    def _call_min_value(self, expr: Any) -> Evaluate:
        return self._constant(_limit(expr.dtype, 0))

    def _call_bitwise_not(self, expr: Any) -> Evaluate:
        operand = self.compile(expr.args[0])
        return self._rounded(expr.dtype, lambda frame: ~operand(frame))

    def _call_reinterpret(self, expr: Any) -> Evaluate:
        operand, source, target = self.compile(expr.args[0]), expr.args[0].dtype, expr.dtype
        return lambda frame: self.formats.reinterpret(source, target, operand(frame))

    def _call_clamp(self, expr: Any) -> Evaluate:
        value, low, high = (self.compile(argument) for argument in expr.args)
        return lambda frame: _minimum(_maximum(value(frame), low(frame)), high(frame))

    def _call_ieee_fmaf(self, expr: Any) -> Evaluate:
        a, b, c = (self.compile(argument) for argument in expr.args[:3])
        return self._rounded(expr.dtype, lambda frame: a(frame) * b(frame) + c(frame))

    _call_fma2 = _call_ieee_fmaf

    def _quantify(self, expr: Any, reduce: Callable[[Array], Any]) -> Evaluate:
        region = self.region(expr.args[0])
        return lambda frame: bool(reduce(region(frame).read() != 0))

    def _call_any_of(self, expr: Any) -> Evaluate:
        return self._quantify(expr, np.any)

    def _call_all_of(self, expr: Any) -> Evaluate:
        return self._quantify(expr, np.all)

    def _call_atomic_load_elem_op(self, expr: Any) -> Evaluate:
        return self.compile(pointee(expr.args[0]))


def pointee(pointer: Any) -> Any:
    """The BufferLoad that an address expression names."""
    if isinstance(pointer, tirx.Call) and operator_name(pointer) in ("access_ptr", "address_of", "region"):
        return pointer.args[0]
    if isinstance(pointer, tirx.BufferLoad):
        return pointer
    raise UnsupportedByInterpreter(f"pointer {pointer}")


def _variables(expr: Any) -> list[Any]:
    found: list[Any] = []
    tirx.stmt_functor.post_order_visit(expr, lambda node: found.append(node) if isinstance(node, tirx.Var) else None)
    return found


def _uniform(value: Value) -> int:
    if isinstance(value, np.ndarray):
        if value.size == 0 or (value != value.flat[0]).any():
            raise UnsupportedByInterpreter("a tile operation at an index that differs between lanes")
        return int(value.flat[0])
    return int(value)


def _limit(dtype: str, which: int) -> Value:
    if is_float(dtype):
        import ml_dtypes

        from .formats import native_dtype

        limit = float(ml_dtypes.finfo(native_dtype(dtype)).max)
        return np.float32(limit if which else -limit)
    bounds = np.iinfo(dtype)
    return int(bounds.max if which else bounds.min)


def _minimum(a: Value, b: Value) -> Value:
    return (
        np.fmin(a, b)
        if isinstance(a, np.ndarray | np.floating) or isinstance(b, np.ndarray | np.floating)
        else min(a, b)
    )


def _maximum(a: Value, b: Value) -> Value:
    return (
        np.fmax(a, b)
        if isinstance(a, np.ndarray | np.floating) or isinstance(b, np.ndarray | np.floating)
        else max(a, b)
    )
