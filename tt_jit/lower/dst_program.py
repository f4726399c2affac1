"""Element-wise expressions as programs over DST registers.

An expression over tiles is a DAG of nodes; ``schedule`` orders it (largest register need first), assigns DST slots and
yields the steps of one output tile. The number of slots decides how many tiles fit into one acquire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tvm import tirx as tir

# How a value covers the output tile: all lanes, one column (to be broadcast along the row), one row, element [0, 0],
# or the same constant in every lane (which goes with any other shape).
FULL, COLUMN, ROW, SCALAR, UNIFORM = "full", "col", "row", "scalar", "uniform"
FLOAT, INT = "Float32", "Int32"
RELABEL = "relabel"
"""The operation of a node that has its child's bits under another format: no call."""
_WIDE_OPERATIONS = ("sfpu_", "typecast_tile", "fill_tile_int")
_BROADCASTS: dict[tuple[str, ...], str] = {
    ("BroadcastType::COL",): "_bcast_cols",
    ("BroadcastType::ROW",): "_bcast_rows",
    ("BroadcastType::SCALAR",): "_bcast_scalar",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One value of the DAG.

    ``operation`` is ``load`` (the tile of ``buffer`` at ``index``, an expression over the walk's placeholders),
    ``unary_bcast`` (the same, its column, row or element spread over the tile on the way) or a device call on the
    children's registers followed by ``immediates``. ``in_place`` calls overwrite their first child.
    ``coarse`` allows an error of 2**-11, as the matrix engine makes when it adds (its products of bfloat16 are exact).
    """

    operation: str
    children: tuple[Node, ...] = ()
    template: tuple[str, ...] = ()
    immediates: tuple[tir.PrimExpr, ...] = ()
    format: str = FLOAT
    shape: str = FULL
    in_place: bool = False
    coarse: bool = False
    buffer: tir.Buffer | None = None
    index: tir.PrimExpr | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One device call of one output tile: DST slots first, or circular buffers and tile indices before the slot."""

    operation: str
    template: tuple[str, ...]
    buffers: tuple[tir.Buffer, ...]
    indices: tuple[tir.PrimExpr, ...]
    slots: tuple[int, ...]
    immediates: tuple[tir.PrimExpr, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DstProgram:
    """Steps of one output tile, the slot of each result, and how many slots are live at most.

    ``wide``: some step needs DST registers of 32 bits (integers, broadcasts inside of DST).
    """

    steps: tuple[Step, ...]
    results: tuple[int, ...]
    slots: int
    wide: bool = True


def schedule(roots: list[Node], *, fpu_formats: Callable[[tir.Buffer], bool], float_format: str = FLOAT) -> DstProgram:
    """Order and allocate the DAG under ``roots``.

    ``fpu_formats(buffer)`` allows the matrix engine to read a buffer; ``float_format`` is what DST holds floats in.
    """
    scheduler = _Scheduler(fpu_formats=fpu_formats, float_format=float_format)
    for root in roots:
        scheduler.count(root)
    for root in roots:
        scheduler.uses[id(root)] = scheduler.uses.get(id(root), 0) + 1
    results = [scheduler.evaluate(root) for root in roots]
    return DstProgram(
        steps=tuple(scheduler.steps),
        results=tuple(results),
        slots=max(scheduler.high_water, 1),
        wide=scheduler.wide,
    )


@dataclass(kw_only=True)
class _Scheduler:
    fpu_formats: Callable[[tir.Buffer], bool]
    float_format: str
    wide: bool = False
    uses: dict[int, int] = field(default_factory=dict)
    needs: dict[int, int] = field(default_factory=dict)
    slot_of: dict[int, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    high_water: int = 0
    touched: set[int] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)

    def count(self, node: Node) -> None:
        """Count uses of every node and its register need (Sethi-Ullman)."""
        if id(node) in self.needs:
            return
        self.wide |= node.format == INT or node.operation.startswith(_WIDE_OPERATIONS)
        for child in node.children:
            self.count(child)
            self.uses[id(child)] = self.uses.get(id(child), 0) + 1
        ordered = sorted((self.needs[id(child)] for child in node.children), reverse=True)
        self.needs[id(node)] = max([need + held for held, need in enumerate(ordered)], default=1)

    def evaluate(self, node: Node) -> int:
        """Slot that holds ``node`` (computed now or earlier)."""
        if id(node) in self.slot_of:
            return self.slot_of[id(node)]
        slot = self.fused(node) if node.children else None
        if slot is None:
            slot = self.leaf(node) if not node.children else self.operation(node)
        self.slot_of[id(node)] = slot
        return slot

    def leaf(self, node: Node) -> int:
        slot = self.allocate()
        if node.buffer is not None:
            operation = "copy_tile" if node.operation == "load" else node.operation
            self.emit(operation, node.template, (node.buffer,), (node.index,), (slot,))
        else:
            self.emit(node.operation, node.template, (), (), (slot,), node.immediates)
        return slot

    def fused(self, node: Node) -> int | None:
        """``add/sub/mul`` of two tiles straight from their circular buffers on the matrix engine."""
        name = node.operation.removesuffix("_binary_tile")
        bcast = {"sfpu_{}_bcast_col": "_tiles_bcast_cols", "sfpu_{}_bcast_row": "_tiles_bcast_rows"}
        target = f"{name}_tiles" if node.operation.endswith("_binary_tile") else None
        for pattern, suffix in bcast.items():
            for candidate in ("add", "sub", "mul"):
                if node.operation == pattern.format(candidate):
                    name, target = candidate, candidate + suffix
        if target is None or name not in ("add", "sub", "mul") or node.format != FLOAT:
            return None
        if name != "mul" and not node.coarse:
            return None
        left, right = node.children
        if name != "sub" and left.operation == "unary_bcast":
            left, right = right, left
        if right.operation == "unary_bcast" and target == f"{name}_tiles":
            target += _BROADCASTS[right.template]
        for child in (left, right):
            single = self.uses[id(child)] == 1 and id(child) not in self.slot_of
            loaded = child.operation == "load" or (child is right and child.operation == "unary_bcast")
            if not loaded or not single or not self.fpu_formats(child.buffer):
                return None
        slot = self.allocate(fresh=name == "mul")
        self.uses[id(left)] = self.uses[id(right)] = 0
        self.emit(target, (), (left.buffer, right.buffer), (left.index, right.index), (slot,))
        return slot

    def operation(self, node: Node) -> int:
        order = sorted(range(len(node.children)), key=lambda n: -self.needs[id(node.children[n])])
        slots = [0] * len(node.children)
        for position in order:
            slots[position] = self.evaluate(node.children[position])
        dying = self.consume(node)
        if node.in_place:
            target = slots[0]
            if slots[0] not in dying:
                target = self.allocate()
                held = self.float_format if node.children[0].format == FLOAT else INT
                self.emit("copy_dest_values", (f"DataFormat::{held}",), (), (), (slots[0], target))
            self.release(dying, keep=target)
            if node.operation != RELABEL:
                self.emit(node.operation, node.template, (), (), (target, *slots[1:]), node.immediates)
            return target
        reused = next((slot for slot in slots if slot in dying), None)
        target = self.allocate() if reused is None else reused
        self.release(dying, keep=target)
        self.emit(node.operation, node.template, (), (), (*slots, target), node.immediates)
        return target

    def consume(self, node: Node) -> set[int]:
        """Use up the children; the slots that nobody needs afterwards."""
        dying = set()
        for child in node.children:
            self.uses[id(child)] -= 1
        for child in node.children:
            if self.uses[id(child)] == 0:
                dying.add(self.slot_of[id(child)])
        return dying

    def release(self, slots: set[int], *, keep: int) -> None:
        self.free.extend(slot for slot in slots if slot != keep)
        self.free.sort()

    def allocate(self, *, fresh: bool = False) -> int:
        """A free slot; ``fresh`` asks for one that still holds the zero of the acquire."""
        for position, slot in enumerate(self.free):
            if not fresh or slot not in self.touched:
                return self.free.pop(position)
        slot = self.high_water
        self.high_water += 1
        return slot

    def emit(
        self,
        operation: str,
        template: tuple[str, ...],
        buffers: tuple[tir.Buffer, ...],
        indices: tuple[tir.PrimExpr, ...],
        slots: tuple[int, ...],
        immediates: tuple[tir.PrimExpr, ...] = (),
    ) -> None:
        self.touched.update(slots)
        self.steps.append(
            Step(
                operation=operation,
                template=template,
                buffers=buffers,
                indices=indices,
                slots=slots,
                immediates=immediates,
            )
        )
