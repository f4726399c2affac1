"""What the compiler hands to the cache and the runtimes: a plan and the files it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .plan import Plan

PLAN_FILE = "tt.plan.json"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """One compiled PrimFunc.

    ``files`` maps relative paths to texts: ``reader.cpp``, ``compute.cpp``, ``writer.cpp``, ``main.cpp``,
    ``tt.plan.json`` and, when dumps are asked for, ``ir/<number>_<pass>.py``.
    """

    name: str
    files: Mapping[str, str]
    plan: Plan
