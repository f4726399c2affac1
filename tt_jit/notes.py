"""Performance notes: what of a kernel runs on a slow path, where, why, and what would be faster."""

from __future__ import annotations

import json
import linecache
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

NOTES_FILE = "notes.json"
"""The file of an artifact that holds its notes, so that a kernel from the cache has them too."""


@dataclass(frozen=True, kw_only=True)
class PerformanceNote:
    """One slow path: ``what`` happens instead of tile operations, ``why``, and a ``hint`` how to avoid it.

    ``file`` and ``line`` are the user's, as they were when the kernel was compiled; empty and 0 where unknown.
    """

    what: str
    why: str
    hint: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        text = f"performance note: {self.what}"
        if self.file:
            text += f"\n  --> {self.file}:{self.line}"
            source = linecache.getline(self.file, self.line).strip()
            text += f"\n    {source}" if source else ""
        return f"{text}\n  why: {self.why}\n  hint: {self.hint}"


def format_notes(notes: Iterable[PerformanceNote]) -> str:
    """The notes as the text of ``notes.json``, each once."""
    return json.dumps([asdict(note) for note in dict.fromkeys(notes)], indent=1) + "\n"


def notes_in(files: Mapping[str, str]) -> tuple[PerformanceNote, ...]:
    """The notes among the files of an artifact."""
    return tuple(PerformanceNote(**record) for record in json.loads(files.get(NOTES_FILE, "[]")))
