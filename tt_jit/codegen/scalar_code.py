"""Prints code for single elements: the statements of a data-movement core that are more than transfers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from tvm import tirx as tir

from ..errors import InternalError
from ..lower.ops import device_name
from ..lower.scalar_code import jump_of
from .helpers import HELPERS
from .scalar_expressions import ScalarExpressionPrinter, cpp_type, is_single


class KernelWriter(Protocol):
    """What the printer of a kernel offers to the printers of its parts."""

    helpers: set[str]

    def line(self, text: str) -> None:
        """Append a line at the current depth."""

    def declare(self, variable: tir.Var) -> str:
        """A new name for ``variable``."""

    def value_of(self, variable: tir.Var) -> str:
        """The value of ``variable`` in the C++ type of its dtype."""

    def source_line(self, stmt: tir.Stmt) -> None:
        """The user's line of ``stmt`` as a comment, where it is a new one."""

    def scope(self) -> AbstractContextManager[None]:
        """A brace-delimited region."""


class ScalarCodePrinter:
    """Prints one block of code for single elements."""

    def __init__(self, kernel: KernelWriter) -> None:
        self.kernel = kernel
        self.printer = ScalarExpressionPrinter(name_of=self.value_of, call_text=self.device_call)

        self.own: dict[tir.Var, str] = {}

    def value_of(self, variable: tir.Var) -> str:
        """The name of a variable of this code, or what the kernel has for one of its own."""
        return self.own[variable] if variable in self.own else self.kernel.value_of(variable)

    def declare(self, variable: tir.Var) -> str:
        self.own[variable] = self.kernel.declare(variable)
        return self.own[variable]

    def block(self, body: tir.Stmt) -> None:
        """``body`` in braces."""
        self.kernel.line("{")
        with self.kernel.scope():
            self.statement(body)
        self.kernel.line("}")
        self.kernel.helpers |= self.printer.helpers

    def statement(self, stmt: tir.Stmt) -> None:
        if isinstance(stmt, tir.SeqStmt):
            for child in stmt.seq:
                self.statement(child)
            return
        self.kernel.source_line(stmt)
        text = self.printer.text
        if isinstance(stmt, tir.For):
            self.loop(stmt)
        elif isinstance(stmt, tir.IfThenElse):
            self.nested(f"if ({text(stmt.condition)}) {{", stmt.then_case)
            if stmt.else_case is not None:
                self.kernel.line("} else {")
                self.nested(None, stmt.else_case)
            self.kernel.line("}")
        elif isinstance(stmt, tir.While):
            self.nested(f"while ({text(stmt.condition)}) {{", stmt.body)
            self.kernel.line("}")
        elif isinstance(stmt, tir.Bind):
            value = text(stmt.value)
            self.kernel.line(f"const {cpp_type(str(stmt.var.dtype))} {self.declare(stmt.var)} = {value};")
        elif isinstance(stmt, tir.BufferStore):
            value = self.printer.rounded(str(stmt.buffer.dtype), text(stmt.value))
            self.kernel.line(f"{self.printer.place(stmt)} = {value};")
        elif isinstance(stmt, tir.Evaluate):
            jump = jump_of(stmt)
            self.kernel.line(f"{jump or text(stmt.value)};")
        else:
            raise InternalError(f"no C++ form for a {type(stmt).__name__} statement")

    def nested(self, head: str | None, body: tir.Stmt) -> None:
        if head is not None:
            self.kernel.line(head)
        with self.kernel.scope():
            self.statement(body)

    def loop(self, stmt: tir.For) -> None:
        low, end = self.printer.text(stmt.min), stmt.extent
        if low != "0":
            end = stmt.min + stmt.extent
        limit = self.printer.text(end)
        kind, name = cpp_type(str(stmt.loop_var.dtype)), self.declare(stmt.loop_var)
        self.nested(f"for ({kind} {name} = {low}; {name} < {limit}; ++{name}) {{", stmt.body)
        self.kernel.line("}")

    def device_call(self, call: tir.Call) -> str:
        name = device_name(call)
        if name in HELPERS:
            self.kernel.helpers.add(name)
        return f"{name}({', '.join(self.printer.text(argument) for argument in call.args)})"


def array_declaration(buffer: tir.Buffer, name: str, memory: str, offset: int | None) -> str:
    """The C++ variable or L1 array of scalar code."""
    kind = cpp_type(str(buffer.dtype))
    if is_single(buffer):
        return f"[[maybe_unused]] {kind} {name} = 0;"
    assert offset is not None
    place = f"scratch_base({memory})" + (f" + {offset}" if offset else "")
    return f"auto const {name} = reinterpret_cast<tt_l1_ptr {kind}*>({place});"
