"""A deadlock is explained: who waits for what, why it will not come, and what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tt_jit.errors import DeadlockError

from .programs import PROLOGUE, circular_buffer, kernel, load, plan


def deadlock(directory: Path, reader: str, writer: str, pages: int = 4) -> DeadlockError:
    """The error of two kernels with these bodies on circular buffers 0 (`first`) and 1 (`second`)."""
    made = plan(
        [],
        [kernel("reader", [], []), kernel("writer", [], [])],
        [circular_buffer(0, "first", pages), circular_buffer(1, "second", pages)],
    )
    files = {
        f"{role}.cpp": f"{PROLOGUE}void fill(uint32_t cb) {{ *(volatile tt_l1_ptr uint32_t*)get_write_ptr(cb) = 1; }}\n"
        f"void kernel_main() {{\n    {body}\n}}\n"
        for role, body in (("reader", reader), ("writer", writer))
    }
    with pytest.raises(DeadlockError) as caught:
        load(made, files, directory).launch([], [])
    return caught.value


def test_one_side_ends_early(tmp_path: Path) -> None:
    error = deadlock(
        tmp_path,
        "for (int i = 0; i < 3; ++i) { cb_reserve_back(0, 1); fill(0); cb_push_back(0, 1); }",
        "for (int i = 0; i < 4; ++i) { cb_wait_front(0, 1); cb_pop_front(0, 1); }",
    )
    assert (
        "cb_wait_front wants 1 page of first, 0 available; the reader has ended after pushing 3 pages" in error.message
    )
    assert error.hint == "make both sides of first agree: the writer waits for more pages than are ever pushed"


def test_nobody_pops(tmp_path: Path) -> None:
    error = deadlock(
        tmp_path,
        "for (int i = 0; i < 5; ++i) { cb_reserve_back(0, 1); fill(0); cb_push_back(0, 1); }",
        "",
    )
    assert "cb_reserve_back wants 1 free page of first, 0 of 4 free; no kernel pops pages of first" in error.message
    assert error.hint == "make both sides of first agree: the reader pushes more pages than are ever popped"


def test_too_few_pages(tmp_path: Path) -> None:
    error = deadlock(
        tmp_path,
        "for (int i = 0; i < 2; ++i) { cb_reserve_back(0, 3); fill(0); cb_push_back(0, 3); }",
        "cb_wait_front(0, 4); cb_pop_front(0, 4);",
        pages=5,
    )
    assert error.hint is not None and error.hint.startswith("give first at least 6 pages")


def test_opposite_orders(tmp_path: Path) -> None:
    error = deadlock(
        tmp_path,
        "cb_wait_front(1, 1); cb_reserve_back(0, 1); fill(0); cb_push_back(0, 1); cb_pop_front(1, 1);",
        "cb_wait_front(0, 1); cb_reserve_back(1, 1); fill(1); cb_push_back(1, 1); cb_pop_front(0, 1);",
    )
    assert error.message.count("cb_wait_front wants 1 page") == 2
    assert (error.role, error.circular_buffer) == ("reader", "second")


def test_a_kernel_that_feeds_itself_too_late(tmp_path: Path) -> None:
    error = deadlock(
        tmp_path,
        "cb_reserve_back(0, 4); fill(0); cb_push_back(0, 4); cb_wait_front(0, 1); cb_reserve_back(0, 1);",
        "",
    )
    assert error.hint == "the reader is producer and consumer of first: pop pages before reserving more"
