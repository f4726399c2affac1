"""Give every tensor the shape in which the kernel accesses it.

Why: ``T.Tensor(shape, dtype, X.data)`` is the memory of ``X`` under another shape (a convolution sees its image as a
matrix of pixels and channels). Pages are laid out by shape, so the tensor takes the shape of its accesses; the host
gets both shapes and looks at the argument through the second.

Before::

    copy(out_flat[by*64:+64, 0:+128], tile)               # out_flat: (512, 128), on the memory of out: (2, 16, 16, 128)

After::

    copy(out[by*64:+64, 0:+128], tile)                    # out: (512, 128)
    func_attr({"tt_argument_shapes": {"out": [2, 16, 16, 128]}})
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import tvm
from tvm import tirx as tir

from ..errors import UnsupportedError
from .base import LoweringContext
from .tile_ir import GLOBAL_SCOPE, leaves, replace_buffers

ARGUMENT_SHAPES_ATTRIBUTE = "tt_argument_shapes"


def resolve_tensor_views(func: tir.PrimFunc, context: LoweringContext) -> tir.PrimFunc:
    """Replace views by tensors of their shape; remember the shape of the argument in ``tt_argument_shapes``."""
    tensors = {buffer.data: _Tensor(buffer=buffer) for buffer in func.buffer_map.values()}
    for stmt in leaves(func.body):
        if isinstance(stmt, tir.AllocBuffer) and stmt.buffer.scope() == GLOBAL_SCOPE:
            tensors[stmt.buffer.data] = _Tensor(buffer=stmt.buffer)
    for stmt in _statements(func.body):
        for buffer in _accessed(stmt):
            if buffer.data in tensors:
                tensors[buffer.data].access(buffer, stmt)
    viewed = {data: tensor.as_viewed() for data, tensor in tensors.items() if tensor.is_viewed}
    if not viewed:
        return func
    buffer_map = {param: viewed.get(buffer.data, buffer) for param, buffer in func.buffer_map.items()}
    shapes = {buffer.name: list(buffer.shape) for buffer in func.buffer_map.values() if buffer.data in viewed}
    body = replace_buffers(func.body, viewed)
    rebuilt = tir.PrimFunc(func.params, body, func.ret_type, buffer_map, func.attrs)
    return rebuilt.with_attr(ARGUMENT_SHAPES_ATTRIBUTE, shapes)


def argument_shape(func: tir.PrimFunc, buffer: tir.Buffer) -> list[tir.PrimExpr]:
    """The shape that the caller gives the tensor ``buffer``."""
    shapes = func.attrs.get(ARGUMENT_SHAPES_ATTRIBUTE, {})
    return list(shapes[buffer.name]) if buffer.name in shapes else list(buffer.shape)


@dataclass(kw_only=True)
class _Tensor:
    buffer: tir.Buffer
    accessed: list[tir.Buffer] = field(default_factory=list)

    @property
    def is_viewed(self) -> bool:
        return any(not _same_shape(self.buffer, buffer) for buffer in self.accessed)

    def access(self, buffer: tir.Buffer, stmt: tir.Stmt) -> None:
        if buffer.dtype != self.buffer.dtype:
            raise UnsupportedError(
                f"{buffer.name} is the memory of {self.buffer.name} ({self.buffer.dtype}) as {buffer.dtype}",
                hint="give the kernel a parameter of each dtype, and pass tensor.view(dtype)",
                at=stmt,
            )
        size, own = math.prod(buffer.shape), math.prod(self.buffer.shape)
        if not tvm.arith.Analyzer().can_prove_equal(size, own):
            raise UnsupportedError(
                f"{buffer.name} has {size} elements of the memory of {self.buffer.name}, which has {own}",
                hint="a view must have as many elements as its tensor",
                at=stmt,
            )
        if self.accessed and not _same_shape(self.accessed[0], buffer):
            raise UnsupportedError(
                f"{self.buffer.name} is accessed in two shapes, {_shape(self.accessed[0])} and {_shape(buffer)}",
                hint="use one shape for all accesses of a tensor",
                at=stmt,
            )
        self.accessed.append(buffer)

    def as_viewed(self) -> tir.Buffer:
        """The tensor in the shape of its accesses."""
        shape = list(self.accessed[0].shape)
        strides = [math.prod(shape[dim + 1 :], start=tir.IntImm("int32", 1)) for dim in range(len(shape))]
        return tir.decl_buffer(
            shape, self.buffer.dtype, self.buffer.name, data=self.buffer.data, strides=strides, scope=GLOBAL_SCOPE
        )


def _same_shape(one: tir.Buffer, other: tir.Buffer) -> bool:
    return bool(tvm.ir.structural_equal(one.shape, other.shape))


def _shape(buffer: tir.Buffer) -> str:
    return f"({', '.join(str(extent) for extent in buffer.shape)})"


def _statements(body: tir.Stmt) -> list[tir.Stmt]:
    """Every statement that holds an expression of its own, so that an error names its line."""
    found: list[tir.Stmt] = []

    def visit(node: object) -> None:
        if isinstance(node, (tir.BufferStore, tir.Evaluate, tir.Bind, tir.For, tir.IfThenElse, tir.While)):
            found.append(node)

    tir.stmt_functor.post_order_visit(body, visit)
    return found


def _accessed(stmt: tir.Stmt) -> list[tir.Buffer]:
    """The buffers that the expressions of ``stmt`` read, and the one that it stores to."""
    parts = {
        tir.BufferStore: ("value", "indices"),
        tir.For: ("min", "extent"),
        tir.IfThenElse: ("condition",),
        tir.While: ("condition",),
    }.get(type(stmt), ("value",))
    found = [stmt.buffer] if isinstance(stmt, tir.BufferStore) else []

    def visit(node: object) -> None:
        if isinstance(node, tir.BufferLoad):
            found.append(node.buffer)

    for part in parts:
        value = getattr(stmt, part)
        for expr in [value] if isinstance(value, tir.PrimExpr) else value:
            tir.stmt_functor.post_order_visit(tir.Evaluate(expr), visit)
    return found
