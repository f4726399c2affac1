"""Role programs as C++ kernels: a printer over TIR.

The text follows the IR statement by statement. User source lines appear as comments in front of what they became;
names come from the user's variables; includes are those of the calls that occur.
"""

from __future__ import annotations

import json
import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import tilelang.ir as tilelang_ir
import tvm
from tvm import tirx as tir

from ..data_format import is_float_dtype
from ..errors import InternalError
from ..intrinsics import INTRINSICS, is_out_of_line
from ..lower.accesses import COMPUTE
from ..lower.lower_debug_statements import FAIL_ASSERTION
from ..lower.memory_space_lower_tt import circular_buffers
from ..lower.ops import DECIDE, device_name, is_device_call
from ..lower.scalar_code import ARRAY_MEMORY, array_memory
from ..lower.tensor_layout import layout_attribute, page_format
from ..lower.tile_ir import ARRAY_SCOPE, is_scalar_code, leaves
from .cpp_expressions import ExpressionPrinter, has_negative, variable_elements
from .helpers import HELPERS, helper_text
from .identifiers import identifier
from .out_of_line import OutOfLineCalls
from .scalar_code import ScalarCodePrinter, array_declaration

_INDENT = "    "
# Calls that give an integer from memory, which may be negative.
_SCALARS = (DECIDE, "receive_scalar")


@dataclass(frozen=True, kw_only=True)
class KernelText:
    """The C++ of one role and the arguments it expects, in order."""

    text: str
    core_arguments: tuple[str, ...]
    common_arguments: tuple[str, ...]
    tensors: tuple[str, ...]


def print_kernel(func: tir.PrimFunc, title: str) -> KernelText:
    """The C++ text of a role function that ``split_roles`` made."""
    return _KernelPrinter(func=func, title=title).kernel()


@dataclass(kw_only=True)
class _KernelPrinter:
    func: tir.PrimFunc
    title: str
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    names: dict[tir.Var, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    headers: set[str] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)
    out_of_line: OutOfLineCalls = field(default_factory=OutOfLineCalls)
    addresses: set[tir.Var] = field(default_factory=set)
    comment: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        self.role = str(self.func.attrs["tt_role"])
        self.rings = circular_buffers(self.func)
        self.used_rings: set[str] = set()
        span = tilelang_ir.get_prim_func_span(self.func)
        self.user_file = str(span.source_name.name) if span is not None else None
        self.tensors = {b.data: b for b in self.func.buffer_map.values()}
        has_scalar_code = any(is_scalar_code(stmt) for stmt in leaves(self.func.body))
        self.signed = has_scalar_code or has_negative(self.func.body) or _has_scalars(self.func.body)
        self.integer = "int32_t" if self.signed else "uint32_t"
        self.printer = ExpressionPrinter(name_of=self.name, call_text=self.call, signed=self.signed)

    # ---- whole kernel ----------------------------------------------------------------------------------------------

    def kernel(self) -> KernelText:
        core = tuple(str(name) for name in self.func.attrs["tt_core_arguments"])
        common_variables = tuple(str(name) for name in self.func.attrs["tt_common_arguments"])
        tensors = tuple(str(name) for name in self.func.attrs["tt_tensors"])
        common = (*(f"{name}_address" for name in tensors), *common_variables)
        self.taken.update(map(identifier, (*core, *common, *tensors)))
        for variable in self.free_variables((*core, *common_variables)):
            self.names[variable] = identifier(variable.name)
        self.statement(self.func.body)
        prologue = [*self.arguments(core, common, common_variables), *self.ring_constants(), *self.accessors(tensors)]
        body = "\n".join([*prologue, *self.lines])
        parts = (helper_text(self.helpers | self.printer.helpers), self.out_of_line.text())
        helpers = "\n".join(part for part in parts if part)
        text = (
            f"// {self.title}\n"
            + "".join(f"#define {name} 1\n" for name in sorted(self.defines))
            + "".join(f"#include {header}\n" for header in self.includes())
            + (f"\n{helpers}" if helpers else "")
            + f"\nvoid kernel_main() {{\n{body}\n}}\n"
        )
        return KernelText(text=text, core_arguments=core, common_arguments=common, tensors=tensors)

    def includes(self) -> list[str]:
        return ["<cstdint>", *(f'"{header}"' for header in sorted(self.headers))]

    def arguments(self, core: tuple[str, ...], common: tuple[str, ...], variables: tuple[str, ...]) -> list[str]:
        lines = []
        dtypes = {p.name: p.dtype for p in self.func.params}
        for position, name in enumerate(core):
            lines.append(f"const {self.integer} {name} = get_arg_val<uint32_t>({position});")
        for position, name in enumerate(common):
            is_bits = name not in variables or dtypes.get(name, "int32").startswith(("float", "bfloat"))
            kind = "uint32_t" if is_bits else self.integer
            lines.append(f"const {kind} {identifier(name)} = get_common_arg_val<uint32_t>({position});")
        if lines:
            self.headers.add("api/compute/common.h" if self.role == COMPUTE else "api/dataflow/dataflow_api.h")
        return [_INDENT + line for line in lines]

    def ring_constants(self) -> list[str]:
        used = sorted(self.used_rings, key=lambda name: (self.rings[name].id, name))
        return [f"{_INDENT}constexpr uint32_t {self.ring_name(name)} = {self.rings[name].id};" for name in used]

    def accessors(self, tensors: tuple[str, ...]) -> list[str]:
        lines, offset = [], "0"
        for name in tensors:
            lines.append(f"constexpr auto {name}_args = TensorAccessorArgs<{offset}>();")
            page = self.page_bytes(next(b for b in self.tensors.values() if b.name == name))
            accessor = identifier(name)
            lines.append(f"const auto {accessor} = TensorAccessor({name}_args, {name}_address, {page});")
            offset = f"{name}_args.next_compile_time_args_offset()"
        if lines:
            self.headers.add("api/tensor/tensor_accessor.h")
        return [_INDENT + line for line in lines] + ([""] if lines else [])

    def page_bytes(self, tensor: tir.Buffer) -> str:
        """Bytes of one page: a tile, or a row padded to a multiple of 64 bytes."""
        pages = page_format(self.func, tensor)
        assert pages is not None
        if str(self.func.attrs[layout_attribute(tensor.name)]["kind"]) != "row_major":
            return str(pages.tile_bytes)
        row: tir.PrimExpr = tir.IntImm("int32", pages.element_bytes)
        if len(tensor.shape) > 0:
            row = tir.Max(tensor.shape[-1], 1) * pages.element_bytes  # an empty tensor has a page, too
        return self.printer.text(tvm.arith.Analyzer().simplify(tir.floordiv(row + 63, 64) * 64))

    def free_variables(self, wanted: tuple[str, ...]) -> list[tir.Var]:
        found: dict[tir.Var, None] = {}

        def visit(node: object) -> None:
            if isinstance(node, tir.Var) and node.name in wanted and node not in self.tensors:
                found.setdefault(node)

        tir.stmt_functor.post_order_visit(self.func.body, visit)
        for tensor in self.tensors.values():
            for extent in tensor.shape:
                tir.stmt_functor.post_order_visit(tir.Evaluate(extent), visit)
        return list(found)

    # ---- names -----------------------------------------------------------------------------------------------------

    def name(self, variable: tir.Var) -> str:
        if variable in self.names:
            return self.names[variable]
        if variable in self.tensors:
            return identifier(self.tensors[variable].name)
        if variable.name in self.rings:
            self.used_rings.add(variable.name)
            return self.ring_name(variable.name)
        raise InternalError(f"the variable {variable.name} is used before its definition in the {self.role} kernel")

    def value_of(self, variable: tir.Var) -> str:
        """The value of ``variable`` in the C++ type of its dtype."""
        name = self.name(variable)
        if str(variable.dtype).startswith("float"):
            self.helpers.add("as_float")
            return f"as_float({name})"
        return f"static_cast<int32_t>({name})" if variable in self.addresses else name

    @staticmethod
    def ring_name(name: str) -> str:
        return f"cb_{name}"

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A brace-delimited region: names declared inside are free again afterwards."""
        taken = set(self.taken)
        self.depth += 1
        yield
        self.depth -= 1
        self.taken = taken

    def declare(self, variable: tir.Var) -> str:
        base = identifier(variable.name)
        name, number = base, 1
        while name in self.taken:
            name, number = f"{base}_{number}", number + 1
        self.taken.add(name)
        self.names[variable] = name
        return name

    # ---- statements ------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append(_INDENT * self.depth + text if text else "")

    def statement(self, stmt: tir.Stmt) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                self.statement(child)
            return
        self.source_line(stmt)
        if isinstance(stmt, tir.For):
            self.loop(stmt)
        elif isinstance(stmt, tir.IfThenElse):
            self.branch(stmt)
        elif isinstance(stmt, tir.While):
            self.line(f"while ({self.printer.text(stmt.condition)}) {{")
            with self.scope():
                self.statement(stmt.body)
            self.line("}")
        elif isinstance(stmt, tir.Bind):
            self.bind(stmt)
        elif isinstance(stmt, tir.Evaluate):
            self.line(f"{self.printer.text(stmt.value)};")
        elif isinstance(stmt, tir.AllocBuffer):
            self.allocation(stmt)
        elif is_scalar_code(stmt):
            self.headers.add("api/dataflow/dataflow_api.h")
            ScalarCodePrinter(self).block(stmt.body)
        elif isinstance(stmt, tir.BufferStore):
            target = self.printer.text(tir.BufferLoad(stmt.buffer, list(stmt.indices)))
            self.line(f"{target} = {self.printer.text(stmt.value)};")
        else:
            raise InternalError(f"no C++ form for a {type(stmt).__name__} statement")

    def bind(self, stmt: tir.Bind) -> None:
        """A constant: an address or the bits of a float are unsigned."""
        value = self.printer.text(stmt.value)
        is_scalar = is_device_call(stmt.value) and device_name(stmt.value) in _SCALARS
        if is_scalar or self.printer.may_be_negative(stmt.value):
            self.printer.unsure.add(stmt.var)
        unsigned = is_float_dtype(str(stmt.var.dtype)) or (is_device_call(stmt.value) and not is_scalar)
        if unsigned:
            self.addresses.add(stmt.var)
        self.line(f"const {'uint32_t' if unsigned else self.integer} {self.declare(stmt.var)} = {value};")

    def allocation(self, stmt: tir.AllocBuffer) -> None:
        """Integer variables of all kernels, or a variable or array of scalar code."""
        buffer = stmt.buffer
        name = self.declare(buffer.data)
        if buffer.scope() != ARRAY_SCOPE:
            count = variable_elements(buffer)
            self.line(f"{self.integer} {name} = 0;" if count == 1 else f"{self.integer} {name}[{count}] = {{}};")
            return
        offset = array_memory(self.func.body).offsets.get(buffer.name)
        if offset is not None:
            self.used_rings.add(ARRAY_MEMORY)
            self.helpers.add("scratch_base")
        self.line(array_declaration(buffer, name, self.ring_name(ARRAY_MEMORY), offset))

    def source_line(self, stmt: tir.Stmt) -> None:
        """The user's line as a comment, when it differs from the line of the statement before."""
        span = tilelang_ir.get_stmt_span(stmt)
        if span is None:
            return
        place = (str(span.source_name.name), int(span.line))
        if place == self.comment or (self.user_file is not None and place[0] != self.user_file):
            return
        self.comment = place
        # A backslash at the end would draw the next line into the comment.
        text = linecache.getline(*place).strip().rstrip("\\").rstrip()
        if text and not text.startswith("with "):
            if self.lines and not self.lines[-1].endswith("{"):
                self.line("")
            self.line(f"// {text}")

    def loop(self, stmt: tir.For) -> None:
        low = self.printer.text(stmt.min)
        end = stmt.extent if low == "0" else stmt.min + stmt.extent
        limit = self.printer.text(end, 9)
        with self.scope():
            name = self.declare(stmt.loop_var)
            self.depth -= 1
            self.line(f"for ({self.integer} {name} = {low}; {name} < {limit}; ++{name}) {{")
            self.depth += 1
            self.statement(stmt.body)
        self.line("}")

    def branch(self, stmt: tir.IfThenElse) -> None:
        self.line(f"if ({self.printer.text(stmt.condition)}) {{")
        with self.scope():
            self.statement(stmt.then_case)
        if stmt.else_case is not None:
            self.line("} else {")
            with self.scope():
                self.statement(stmt.else_case)
        self.line("}")

    # ---- calls -----------------------------------------------------------------------------------------------------

    def call(self, call: tir.Call) -> str:
        """A device call, or a call of a helper that the kernel then carries."""
        if not is_device_call(call):
            raise InternalError(f"no C++ form for the call {call}")
        name = device_name(call)
        if name == FAIL_ASSERTION:
            self.headers.add("api/debug/assert.h")
            return f"ASSERT(!{json.dumps(str(call.args[0].value))})"
        if name in HELPERS:
            return self.helper_call(name, call)
        self.headers.add(self.header_of(name))
        define = INTRINSICS[name].define if name in INTRINSICS else None
        self.defines |= {define} if define is not None else set()
        return self.call_text(name, call)

    def helper_call(self, name: str, call: tir.Call) -> str:
        self.helpers.add(name)
        self.headers.add("api/compute/cb_api.h" if self.role == COMPUTE else "api/dataflow/dataflow_api.h")
        if name == "receive_scalar":
            suffix = "compute" if self.role == COMPUTE else "writer"
            self.helpers.add(f"receive_scalar_{suffix}")
            self.helpers.discard(name)
        if name == "fill_index_tile":
            ring = self.printer.text(call.args[0])
            return f"fill_index_tile(get_write_ptr({ring}), {'true' if str(call.args[1].value) == 'row' else 'false'})"
        return self.call_text(name, call)

    def call_text(self, name: str, call: tir.Call) -> str:
        """``name<template arguments>(arguments)``; strings are template arguments."""
        template = [str(a.value) for a in call.args if isinstance(a, tir.StringImm)]
        arguments = [self.argument(a) for a in call.args if not isinstance(a, tir.StringImm)]
        if self.role == COMPUTE and is_out_of_line(name):
            return self.out_of_line.call(name, template, arguments)
        brackets = f"<{', '.join(template)}>" if template else ""
        return f"{name}{brackets}({', '.join(arguments)})"

    def argument(self, value: tir.PrimExpr) -> str:
        """An argument of a call; floats are passed as their bits."""
        return self.printer.bits(value) if is_float_dtype(str(value.dtype)) else self.printer.text(value)

    def header_of(self, name: str) -> str:
        """The header that declares ``name`` (an init is declared beside its operation)."""
        if self.role != COMPUTE:
            return "api/dataflow/dataflow_api.h"
        if name in INTRINSICS:
            return INTRINSICS[name].header
        for intrinsic in INTRINSICS.values():
            if intrinsic.init is not None and intrinsic.init.name == name:
                return intrinsic.header
        raise InternalError(f"{name} is not in the table of intrinsics")


def _has_scalars(body: tir.Stmt) -> bool:
    """Whether the kernel gets integers from memory."""
    return any(
        isinstance(leaf, tir.Bind) and is_device_call(leaf.value) and device_name(leaf.value) in _SCALARS
        for leaf in leaves(body)
    )
