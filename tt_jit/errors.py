"""Every error that a user of tt_jit can meet: one class per kind of mistake, with what was found, needed and where."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal

UnsupportedCategory = Literal["gpu_only", "by_design", "not_yet"]

_MAX_DECORATOR_LINES = 50
_CATEGORY_NOTE: dict[str, str] = {
    "gpu_only": "this construct exists on GPUs only",
    "by_design": "not supported, by design",
    "not_yet": "not supported yet",
}


@dataclass(frozen=True, kw_only=True)
class SourceLocation:
    """A place in a file. Lines and columns count from 1; without a column only the line is known."""

    file: str
    line: int
    column: int | None = None

    def source_line(self) -> str:
        """The text of the line, or an empty string when the file cannot be read."""
        return linecache.getline(self.file, self.line).rstrip("\n")

    def snippet(self) -> list[str]:
        """`--> file:line` followed, when the file can be read, by the line and a caret under it."""
        place = f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")
        lines = [f"  --> {place}"]
        text = self.source_line().expandtabs(4)
        if not text.strip():
            return lines
        number = str(self.line)
        margin = " " * len(number)
        indent = len(text) - len(text.lstrip())
        code = text.strip()
        if self.column:
            caret = " " * max(self.column - 1 - indent, 0) + "^"
        else:
            caret = "^" * len(code)
        return [*lines, f" {margin} |", f" {number} | {code}", f" {margin} | {caret}"]


class TTJitError(Exception):
    """Base of all errors of tt_jit. `str()` gives the message, the place in the user's file and how to mend it."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location
        # Any TIR node: whoever runs the passes turns it into `location`, so that passes need not know about spans.
        self.at = at

    def notes(self) -> list[str]:
        """Extra lines that a subclass shows between the place and the hint."""
        return []

    def __str__(self) -> str:
        lines = [f"error: {self.message}"]
        if self.location is not None:
            lines += self.location.snippet()
        lines += [f"note: {note}" for note in self.notes()]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


def location_of(function: FunctionType) -> SourceLocation:
    """The line of a function's `def`, below its decorators."""
    code = function.__code__
    first = code.co_firstlineno
    for line in range(first, first + _MAX_DECORATOR_LINES):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("def ", "async def ")):
            return SourceLocation(file=code.co_filename, line=line)
    return SourceLocation(file=code.co_filename, line=first)


@contextmanager
def located(location: SourceLocation | None) -> Iterator[None]:
    """Errors from inside that name no place get this one."""
    try:
        yield
    except TTJitError as error:
        error.location = error.location or location
        raise


class UnsupportedError(TTJitError):
    """The kernel uses something that cannot be lowered to the chip."""

    def __init__(
        self,
        message: str,
        *,
        category: UnsupportedCategory = "not_yet",
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location, at=at)
        self.category: UnsupportedCategory = category

    def notes(self) -> list[str]:
        return [_CATEGORY_NOTE[self.category]]


class TilingError(TTJitError):
    """A block shape that cannot be cut into tiles."""


class L1OverflowError(TTJitError):
    """The kernel's buffers do not fit the memory of one core."""


class ArgumentError(TTJitError, TypeError, ValueError):
    """A wrong call argument. Also a TypeError and a ValueError, because that is what TileLang users catch."""

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        got: object = None,
        needed: object = None,
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location, at=at)
        self.parameter = parameter
        self.got = got
        self.needed = needed

    def notes(self) -> list[str]:
        lines = []
        if self.got is not None:
            lines.append(f"got: {self.got}")
        if self.needed is not None:
            lines.append(f"needed: {self.needed}")
        return lines


class TraceError(TTJitError):
    """TileLang could not turn the function into IR."""


class CompilerNotFoundError(TTJitError):
    """No C++ compiler for the emulator."""


class KernelCompileError(TTJitError):
    """The C++ compiler refused a generated kernel."""

    def __init__(
        self,
        message: str,
        *,
        compiler_output: str = "",
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location, at=at)
        self.compiler_output = compiler_output

    def notes(self) -> list[str]:
        return self.compiler_output.strip().splitlines()[:20]


class PlanError(TTJitError, ValueError):
    """A tt.plan.json that is malformed or contradicts itself."""


class CacheError(TTJitError):
    """The kernel cache cannot be read or written."""


class EmulatorError(TTJitError):
    """A generated kernel broke a rule of the hardware; `location` is the line of the kernel."""

    def __init__(
        self,
        message: str,
        *,
        core: Sequence[int] | None = None,
        role: str | None = None,
        circular_buffer: str | None = None,
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location, at=at)
        self.core = tuple(core) if core is not None else None
        self.role = role
        self.circular_buffer = circular_buffer

    def notes(self) -> list[str]:
        lines = []
        if self.core is not None:
            lines.append(f"core: ({', '.join(map(str, self.core))})")
        if self.role is not None:
            lines.append(f"kernel: {self.role}")
        if self.circular_buffer is not None:
            lines.append(f"circular buffer: {self.circular_buffer}")
        return lines


class DeadlockError(EmulatorError):
    """All roles wait for each other."""


class DeviceError(TTJitError):
    """The chip, its driver or its simulator is missing or failed."""


class InternalError(TTJitError):
    """A defect of tt_jit itself, never the user's fault."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        location: SourceLocation | None = None,
        at: Any = None,
    ) -> None:
        super().__init__(
            message,
            hint=hint or "this is a defect of tt_jit; please report it with the kernel",
            location=location,
            at=at,
        )
