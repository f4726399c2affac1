"""Calls that a kernel makes through functions of its own, which are not inlined.

Reductions and broadcasts of the vector engine expand to hundreds of instructions each, and a kernel with a few of them
in loops that the compiler unrolls outgrows the memory of its core. They also use vector registers by number, which a
compiler allocates better where nothing else is around.

Before::

    sfpu_reduce<PoolType::SUM, DataFormat::Float32, ReduceDim::REDUCE_ROW>(0);

After::

    __attribute__((noinline)) void reduce_sum_float32_row(uint32_t dst) {
        sfpu_reduce<PoolType::SUM, DataFormat::Float32, ReduceDim::REDUCE_ROW>(dst);
    }
    ...
    reduce_sum_float32_row(0);
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
        function = "_".join([name.removeprefix("sfpu_"), *last_words])
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
        comment = "// Out of line: each of these calls expands to hundreds of instructions.\n"
        return comment + "\n".join(self.functions[name] for name in sorted(self.functions))
