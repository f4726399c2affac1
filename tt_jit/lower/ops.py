"""The device-level vocabulary: one TIR operator per TT-Metalium kernel call, registered as ``tt.<name>``.

Buffers appear in these calls as their data Vars; the printer turns them into circular-buffer constants or tensor
accessors. The C++ spelling and the header of each operator are in ``codegen/intrinsics.py``.
"""

from __future__ import annotations

from functools import cache

import tvm
from tvm import tirx as tir
from tvm.ir import _ffi_api

PREFIX = "tt."
READ_SCALAR = "read_scalar"
DECIDE = "decide"


@cache
def operator(name: str) -> tvm.ir.Op:
    """The registered operator ``tt.<name>`` (registered on first use)."""
    full_name = PREFIX + name
    _ffi_api.RegisterOp(full_name, "TT-Metalium kernel call")
    tvm.ir.register_op_attr(full_name, "TCallEffectKind", int(tir.CallEffectKind.Opaque.value))
    tvm.ir.register_op_attr(full_name, "TScriptPrinterName", full_name)
    return tvm.ir.Op.get(full_name)


def argument(value: object) -> tir.PrimExpr:
    """A Python value, Buffer or expression as a call argument."""
    if isinstance(value, tir.Buffer):
        return value.data
    if isinstance(value, bool):
        return tir.IntImm("bool", value)
    if isinstance(value, int):
        return tir.IntImm("int32", value)
    if isinstance(value, str):
        return tir.StringImm(value)
    if isinstance(value, float):
        return tir.FloatImm("float32", value)
    return value


def call(name: str, *arguments: object, dtype: str = "void") -> tir.Call:
    """Expression calling ``tt.<name>``."""
    return tir.Call(dtype, operator(name), [argument(a) for a in arguments])


def do(name: str, *arguments: object) -> tir.Evaluate:
    """Statement calling ``tt.<name>``."""
    return tir.Evaluate(call(name, *arguments))


def is_device_call(node: object) -> bool:
    """Whether ``node`` is a call of the device vocabulary."""
    return isinstance(node, tir.Call) and isinstance(node.op, tvm.ir.Op) and node.op.name.startswith(PREFIX)


def is_scalar_read(stmt: tir.Stmt) -> bool:
    """Whether ``stmt`` binds a value that the reader fetches (``tt.read_scalar``) or finds out (``tt.decide``)."""
    return (
        isinstance(stmt, tir.Bind) and is_device_call(stmt.value) and device_name(stmt.value) in (READ_SCALAR, DECIDE)
    )


def scalar_source(stmt: tir.Stmt) -> tir.BufferLoad | None:
    """The element that a ``tt.read_scalar`` fetches; None for other statements."""
    if not is_scalar_read(stmt) or device_name(stmt.value) != READ_SCALAR:
        return None
    source = stmt.value.args[0]
    return source if isinstance(source, tir.BufferLoad) else None


def device_name(node: tir.Call) -> str:
    """``cb_wait_front`` for a call of ``tt.cb_wait_front``."""
    return node.op.name[len(PREFIX) :]
