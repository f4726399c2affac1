"""Insert the initialisation and format calls that the compute engines need.

Why: every operation of the matrix engine, the vector engine and the packer must be prepared by its own init, after the
data formats of SrcA, SrcB and the packer match its circular buffers. What is configured is tracked through the
program; a call is inserted where the configuration differs, and before a loop when the loop starts and ends with the
same configuration.

Before::

    for k in serial(8):
        tt.matmul_block(A, B, ...)
        tt.pack_tile(0, C)

After::

    tt.compute_kernel_hw_startup("SrcOrder::Reverse", A, B, C)
    tt.matmul_block_init(A, B, 0, 2, 2, 4)
    for k in serial(8):
        tt.matmul_block(A, B, ...)
        tt.pack_tile(0, C)
"""

from __future__ import annotations

from dataclasses import dataclass

import tvm
from tvm import tirx as tir

from ..intrinsics import INTRINSICS, Intrinsic
from .accesses import COMPUTE
from .base import LoweringContext
from .memory_space_lower_tt import CircularBuffer, circular_buffers
from .ops import argument, device_name, do, is_device_call
from .ops import call as device_call
from .tile_ir import sequence, statements_of, with_body, with_span_of

SOURCE_A, SOURCE_B, PACKER, MATRIX, VECTOR = "SrcA", "SrcB", "packer", "matrix", "vector"
_SLOTS = (SOURCE_A, SOURCE_B, PACKER, MATRIX, VECTOR)
State = dict[str, object]


def insert_inits(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
    """Rewrite the compute functions of ``module``."""
    functions = {}
    for name, func in module.functions.items():
        functions[name] = _initialised(func) if str(func.attrs["tt_role"]) == COMPUTE else func
    return tvm.IRModule(functions)


def _initialised(func: tir.PrimFunc) -> tir.PrimFunc:
    tracker = _Tracker(rings=circular_buffers(func))
    startup, state = tracker.startup(func.body)
    body, _ = tracker.block(statements_of(func.body), state)
    return func.with_body(sequence([startup, *body]))


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one device call needs: the value each slot must have, and the calls that establish it."""

    values: dict[str, object]
    calls: dict[str, tir.Call]


@dataclass(kw_only=True)
class _Tracker:
    rings: dict[str, CircularBuffer]

    @property
    def has_bytes(self) -> bool:
        """Whether pages of 8-bit integers are among the buffers."""
        return any(ring.format == "UInt8" for ring in self.rings.values())

    def startup(self, body: tir.Stmt) -> tuple[tir.Stmt, State]:
        """``compute_kernel_hw_startup`` for the first matrix operation and the first packed buffer."""
        matrix: tuple[tir.Call, Intrinsic] | None = None
        packed: tir.Var | None = None
        for call in _device_calls(body):
            intrinsic = INTRINSICS.get(device_name(call))
            if intrinsic is None:
                continue
            if matrix is None and intrinsic.unit == "fpu":
                matrix = (call, intrinsic)
            if packed is None and intrinsic.packs_to is not None:
                packed = _operand(call, intrinsic.packs_to)
        if matrix is None:
            return do("compute_kernel_hw_startup", packed, packed, packed), self.formats(packed, packed, packed)
        call, intrinsic = matrix
        assert intrinsic.source_a is not None
        a = _operand(call, intrinsic.source_a)
        output = a if packed is None else packed
        b = _operand(call, intrinsic.source_b) if intrinsic.source_b is not None else a
        state = self.formats(a, b, output)
        if _is_reversed(intrinsic):
            return do("compute_kernel_hw_startup", "SrcOrder::Reverse", b, a, output), state
        return do("compute_kernel_hw_startup", a, b, output), state

    def formats(self, a: tir.Var, b: tir.Var, output: tir.Var) -> State:
        return {SOURCE_A: self.format(a), SOURCE_B: self.format(b), PACKER: self.rings[output.name].format}

    def format(self, buffer: tir.Var) -> tuple[str, bool]:
        """What the unpacker must know of a buffer: its format, and whether it goes to DST directly."""
        ring = self.rings[buffer.name]
        return ring.format, ring.unpack_to_dest_fp32

    # ---- dataflow --------------------------------------------------------------------------------------------------

    def block(self, statements: list[tir.Stmt], state: State) -> tuple[list[tir.Stmt], State]:
        """``statements`` with inserted calls, and the configuration after them."""
        result: list[tir.Stmt] = []
        for stmt in statements:
            placed, state = self.statement(stmt, state)
            result += placed
        return result, state

    def statement(self, stmt: tir.Stmt, state: State) -> tuple[list[tir.Stmt], State]:
        if isinstance(stmt, (tir.For, tir.While)):
            return self.loop(stmt, state)
        if isinstance(stmt, tir.IfThenElse):
            then, after_then = self.block(statements_of(stmt.then_case), dict(state))
            other: list[tir.Stmt] = []
            after_other = state
            if stmt.else_case is not None:
                other, after_other = self.block(statements_of(stmt.else_case), dict(state))
            rebuilt = tir.IfThenElse(stmt.condition, sequence(then), sequence(other) if other else None)
            return [with_span_of(rebuilt, stmt)], _meet(after_then, after_other)
        need = self.need(stmt.value) if isinstance(stmt, tir.Evaluate) and is_device_call(stmt.value) else None
        if need is None:
            return [stmt], state
        calls, state = self.establish(need, state)
        return [*[with_span_of(call, stmt) for call in calls], stmt], state

    def loop(self, loop: tir.For | tir.While, state: State) -> tuple[list[tir.Stmt], State]:
        body = statements_of(loop.body)
        before, entry = self.establish(self.invariants(body), state)
        while True:
            placed, after = self.block(body, dict(entry))
            met = _meet(entry, after)
            if met == entry:
                break
            entry = met
        rebuilt = (
            with_body(loop, sequence(placed))
            if isinstance(loop, tir.For)
            else tir.While(loop.condition, sequence(placed))
        )
        return [*[with_span_of(call, loop) for call in before], with_span_of(rebuilt, loop)], _meet(entry, after)

    def invariants(self, statements: list[tir.Stmt]) -> Need:
        """The slots that have one value throughout ``statements``: worth configuring before the loop."""
        values: dict[str, set[object]] = {}
        calls: dict[str, tir.Call] = {}
        for call in (call for stmt in statements for call in _device_calls(stmt)):
            need = self.need(call)
            if need is None:
                continue
            for slot, value in need.values.items():
                values.setdefault(slot, set()).add(value)
                calls.setdefault(slot, need.calls[slot])
        constant = {slot: next(iter(found)) for slot, found in values.items() if len(found) == 1}
        if any(len(values.get(slot, ())) > 1 for slot in (SOURCE_A, SOURCE_B)):
            constant.pop(MATRIX, None)
        return Need(values=constant, calls={slot: calls[slot] for slot in constant})

    def establish(self, need: Need, state: State) -> tuple[list[tir.Stmt], State]:
        """Calls that bring ``state`` to what is needed: formats before inits; a new format voids the matrix init."""
        state = dict(state)
        changed = [slot for slot in _SLOTS if slot in need.values and state.get(slot) != need.values[slot]]
        if any(slot in (SOURCE_A, SOURCE_B) for slot in changed) and MATRIX in need.values and MATRIX not in changed:
            changed.append(MATRIX)
        result = [tir.Evaluate(need.calls[slot]) for slot in changed]
        for slot in changed:
            state[slot] = need.values[slot]
            if slot in (SOURCE_A, SOURCE_B) and MATRIX not in changed:
                state.pop(MATRIX, None)
        return result, state

    # ---- needs -----------------------------------------------------------------------------------------------------

    def need(self, call: tir.Call) -> Need | None:
        """What ``call`` needs; None for calls without configuration."""
        intrinsic = INTRINSICS.get(device_name(call))
        if intrinsic is None or (intrinsic.init is None and intrinsic.packs_to is None):
            return None
        values: dict[str, object] = {}
        calls: dict[str, tir.Call] = {}
        if intrinsic.packs_to is not None:
            output = _operand(call, intrinsic.packs_to)
            values[PACKER] = self.rings[output.name].format
            calls[PACKER] = device_call("pack_reconfig_data_format", output)
        other = intrinsic.source_b
        if other is None and self.has_bytes:
            # A copy adds SrcB's zeros, and the adder takes 8-bit integers on both sides or on none.
            other = intrinsic.source_a
        for slot, position in ((SOURCE_A, intrinsic.source_a), (SOURCE_B, other)):
            if position is not None:
                operand = _operand(call, position)
                values[slot] = self.format(operand)
                calls[slot] = device_call(f"reconfig_data_format_{slot.lower()}", operand)
        if intrinsic.init is not None:
            slot = MATRIX if intrinsic.unit == "fpu" else VECTOR
            calls[slot] = init_call(call, intrinsic)
            values[slot] = (*self.init_key(calls[slot]), *_template(call)[: intrinsic.init.distinct])
        return Need(values=values, calls=calls)

    def init_key(self, init: tir.Call) -> tuple[object, ...]:
        """What the init programs: circular buffers of one format are alike to it."""
        parts: list[object] = [device_name(init)]
        for part in init.args:
            is_ring = isinstance(part, tir.Var) and part.name in self.rings
            parts.append(self.format(part) if is_ring else str(part))
        return tuple(parts)


def init_call(call: tir.Call, intrinsic: Intrinsic) -> tir.Call:
    """The init of a device call."""
    assert intrinsic.init is not None
    template = _template(call)[: intrinsic.init.templated]
    operands = _operands(call)
    arguments = [argument(operands[position]) for position in intrinsic.init.arguments]
    return device_call(intrinsic.init.name, *template, *arguments)


def _is_reversed(intrinsic: Intrinsic) -> bool:
    """Whether the first CB argument goes through SrcB (matmul)."""
    a, b = intrinsic.source_a, intrinsic.source_b
    return a is not None and b is not None and b < a


def _template(call: tir.Call) -> list[str]:
    return [str(a.value) for a in call.args if isinstance(a, tir.StringImm)]


def _operands(call: tir.Call) -> list[tir.PrimExpr]:
    return [a for a in call.args if not isinstance(a, tir.StringImm)]


def _operand(call: tir.Call, position: int) -> tir.PrimExpr:
    return _operands(call)[position]


def _device_calls(stmt: tir.Stmt) -> list[tir.Call]:
    found: list[tir.Call] = []

    def visit(node: object) -> None:
        if is_device_call(node):
            found.append(node)

    tir.stmt_functor.post_order_visit(stmt, visit)
    return found


def _meet(one: State, other: State) -> State:
    return {slot: value for slot, value in one.items() if other.get(slot) == value}
