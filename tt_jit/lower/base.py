"""The pass runner: order, dumps, timing, verification and error locations live here, never in a pass."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import tilelang
import tilelang.ir as tilelang_ir
import tvm
from tvm import tirx as tir

from ..errors import SourceLocation, TTJitError
from ..notes import PerformanceNote
from ..target import Target

_TILELANG = os.path.dirname(tilelang.__file__)


@dataclass(frozen=True, kw_only=True)
class LoweringContext:
    """What every pass may read besides the module: the chip and the numeric policy; and where it leaves its notes."""

    target: Target
    precision: str = "accurate"
    notes: list[PerformanceNote] = field(default_factory=list)

    def note(self, *, what: str, why: str, hint: str, at: object) -> None:
        """Record that ``what`` is slow, at the user's line of ``at``."""
        place = location_of(at)
        file, line = (place.file, place.line) if place is not None else ("", 0)
        self.notes.append(PerformanceNote(what=what, why=why, hint=hint, file=file, line=line))


PassFunction = Callable[[tvm.IRModule, LoweringContext], tvm.IRModule]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A named rewrite of the whole module; ``verify`` checks the module it returns (level boundaries only)."""

    name: str
    run: PassFunction
    verify: Callable[[tvm.IRModule], None] | None = None


@dataclass(kw_only=True)
class PassTrace:
    """What the runner saw: CPU milliseconds and, when asked for, the printed module after each pass."""

    milliseconds: dict[str, float] = field(default_factory=dict)
    dumps: dict[str, str] = field(default_factory=dict)


def module_pass(function: PassFunction) -> Pass:
    """Declare a pass: the function's name is the pass's name."""
    return Pass(name=function.__name__, run=function)


def function_pass(
    function: Callable[[tir.PrimFunc, LoweringContext], tir.PrimFunc],
) -> Pass:
    """Declare a pass that rewrites every PrimFunc of the module on its own."""

    def run(module: tvm.IRModule, context: LoweringContext) -> tvm.IRModule:
        return tvm.IRModule({name: function(func, context) for name, func in module.functions.items()})

    return Pass(name=function.__name__, run=run)


def verified(declared: Pass, check: Callable[[tvm.IRModule], None]) -> Pass:
    """The same pass with a level check behind it."""
    return replace(declared, verify=check)


def run_pipeline(
    module: tvm.IRModule,
    pipeline: Sequence[Pass],
    context: LoweringContext,
    *,
    trace: PassTrace | None = None,
    dump: bool = False,
) -> tvm.IRModule:
    """Run the passes in order; errors leave with the user's source line attached."""
    spans = [tilelang_ir.get_prim_func_span(func) for func in module.functions.values()]
    kernel_span = next((span for span in spans if span is not None), None)
    for number, step in enumerate(pipeline, start=1):
        started = time.process_time()
        try:
            module = step.run(module, context)
            _keep_place(module, kernel_span)
            if step.verify is not None:
                step.verify(module)
        except TTJitError as error:
            raise _located(error, module) from error.__cause__
        if trace is not None:
            trace.milliseconds[step.name] = (time.process_time() - started) * 1e3
            if dump:
                trace.dumps[f"{number:02d}_{step.name}.py"] = module.script()
    return module


def _keep_place(module: tvm.IRModule, span: tvm.ir.Span | None) -> None:
    """Give functions that a pass rebuilt the place of the user's function (TVM forgets it)."""
    for func in module.functions.values():
        if span is not None and tilelang_ir.get_prim_func_span(func) is None:
            tilelang_ir.set_prim_func_span(func, span)


def location_of(node: object) -> SourceLocation | None:
    """The user's file and line of a statement (or of the first inside it that has one), a buffer or a function."""
    span = None
    if isinstance(node, tir.Stmt):
        span = tilelang_ir.get_stmt_span(node)
    elif isinstance(node, tir.PrimFunc):
        span = tilelang_ir.get_prim_func_span(node)
    elif isinstance(node, tir.Buffer):
        span = node.span
    # A kernel that was traced before it came to us may carry lines of TileLang's own macros, which help nobody.
    if span is None or span.source_name is None or str(span.source_name.name).startswith(_TILELANG):
        return None
    return SourceLocation(file=str(span.source_name.name), line=int(span.line))


def _located(error: TTJitError, module: tvm.IRModule) -> TTJitError:
    """``error`` with the place of the node it names; an error about no node in particular points at the kernel."""
    if error.location is None:
        places = map(location_of, (error.at, *module.functions.values()))
        error.location = next((place for place in places if place is not None), None)
    return error
