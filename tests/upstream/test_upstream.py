"""TileLang's own examples on the emulator: skipped without a checkout, otherwise one test for each example."""

import pytest

from tests.upstream.catalogue import CASES
from tests.upstream.harness import checkout, lines, run_case

CHECKOUT, REASON = checkout()
TIME_LIMIT_SECONDS = 120


@pytest.mark.skipif(CHECKOUT is None, reason=REASON)
@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.path.removesuffix(".py") for case in CASES])
def test_example_is_right_or_refused(number: int) -> None:
    """A kernel may be refused with a reason; it must not be wrong, and the compiler must not crash."""
    assert CHECKOUT is not None
    outcomes = list(lines(run_case(CHECKOUT, number, seconds=TIME_LIMIT_SECONDS, mode="compiled")))
    for _, text in outcomes:
        print(text)
    assert [text for status, text in outcomes if status in ("wrong", "crashed")] == []


def test_every_example_is_listed_once() -> None:
    paths = [case.path for case in CASES]
    assert len(paths) == len(set(paths))


@pytest.mark.skipif(CHECKOUT is None, reason=REASON)
def test_no_kernel_of_the_examples_is_left_out() -> None:
    assert CHECKOUT is not None
    examples = CHECKOUT / "examples"
    with_kernels = {
        str(path.relative_to(examples))
        for path in examples.rglob("*.py")
        if "T.Kernel(" in path.read_text() or "with Kernel(" in path.read_text()
    }
    assert with_kernels - {case.path for case in CASES} == set()
