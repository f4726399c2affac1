"""Whether a statement has a form in whole tiles; ``move_to_scalar_code`` asks, and decides what becomes of the rest."""

from __future__ import annotations

from tvm import tirx as tir


def reason_for_scalar_code(stmt: tir.Stmt) -> str | None:
    """Why ``stmt`` cannot be done in tiles; None where it can."""
    return None
