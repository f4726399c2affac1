"""Calls that a kernel makes through functions of its own, which are not inlined.

The headers write some operations of the vector engine (reductions, broadcasts, maxima, selects) in instructions that
name its registers. A compiler allocates these better where nothing else is around; and the long ones expand to
hundreds of instructions each, so that a kernel with a few of them in unrolled loops outgrows the memory of its core.

Before::

    sfpu_reduce<PoolType::SUM, DataFormat::Float32, ReduceDim::REDUCE_ROW>(0);

After::

    __attribute__((noinline)) void call_reduce_sum_float32_row(uint32_t dst) {
        sfpu_reduce<PoolType::SUM, DataFormat::Float32, ReduceDim::REDUCE_ROW>(dst);
    }
    ...
    call_reduce_sum_float32_row(0);
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class OutOfLineCalls:
    """The functions that one kernel needs, by name."""

    functions: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, template: Sequence[str], arguments: Sequence[str]) -> str:
        """A call of the function that stands for ``name<template>``."""
        last_words = [part.rpartition("::")[2].removeprefix("REDUCE_").lower() for part in template]
        function = "_".join(["call", name.removeprefix("sfpu_"), *last_words])
        parameters = ["dst"] if len(arguments) == 1 else [f"dst_{number}" for number in range(len(arguments))]
        declared = ", ".join(f"uint32_t {parameter}" for parameter in parameters)
        brackets = f"<{', '.join(template)}>" if template else ""
        self.functions[function] = (
            f"__attribute__((noinline)) void {function}({declared}) {{\n"
            f"    {name}{brackets}({', '.join(parameters)});\n"
            "}\n"
        )
        return f"{function}({', '.join(arguments)})"

    def text(self) -> str:
        """The functions' definitions."""
        if not self.functions:
            return ""
        comment = "// Out of line: their instructions name the vector engine's registers.\n"
        return comment + "\n".join(self.functions[name] for name in sorted(self.functions))
