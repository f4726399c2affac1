"""The plan's expression language against Python's own arithmetic, and its messages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tt_jit.errors import PlanError
from tt_jit.expression import Expression

VALUES = {"m": 100, "k": 7, "n": 64}

CASES = [
    ("((m + 127) / 128) * 8", 8),
    ("(m + 31) / 32 * (n / 32)", 8),
    ("m - (k - 3)", 96),
    ("m - k - 3", 90),
    ("m / (n / k)", 11),
    ("m % 32 + k * 2", 18),
    ("min(m, n, 12 * k)", 64),
    ("max(min(m, n), k) - 1", 63),
    ("min(k)", 7),
    ("42", 42),
]


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_evaluates_like_integer_arithmetic(source: str, expected: int) -> None:
    expression = Expression.parse(source)
    assert expression.evaluate(VALUES) == expected
    assert Expression.parse(expression.text).evaluate(VALUES) == expected, "canonical text means the same"


def test_canonical_text_drops_only_needless_parentheses() -> None:
    assert str(Expression.parse("(( m*(n) ))/ (k)")) == "m * n / k"
    assert str(Expression.parse("m*(n/k)")) == "m * (n / k)"
    assert Expression.parse("m+1") == Expression.parse("(m + 1)")


def test_constants_and_names() -> None:
    assert Expression.parse("4 * (2 + 1)").constant == 12
    assert Expression.parse("m + 1").constant is None
    assert Expression.parse("m + min(k, 2)").names == {"m", "k"}
    assert Expression.parse(7).to_json() == 7
    assert Expression.parse("m").to_json() == "m"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("m +* 2", "expected a value, got '*' at column 4"),
        ("(m", "expected ')' at column 3"),
        ("m m", "unexpected 'm' at column 3"),
        ("m $ 2", "unexpected '$' at column 3"),
        ("abs(m)", "unknown function 'abs' (known: min, max) at column 1"),
        ("", "expected a value at column 1"),
    ],
)
def test_mistakes_are_located(source: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        Expression.parse(source)
    assert message in str(caught.value)


def test_missing_value_and_division_by_zero_are_named() -> None:
    with pytest.raises(PlanError, match=r"no value for 'q' \(known: m\)"):
        Expression.parse("q + 1").evaluate({"m": 1})
    with pytest.raises(PlanError, match="division by zero"):
        Expression.parse("1 / m").evaluate({"m": 0})


def test_cpp_text_computes_the_same(tmp_path: Path) -> None:
    values = [f"static_cast<long long>({Expression.parse(source).to_cpp()})" for source, _ in CASES]
    lines = "".join(f'    std::printf("%lld\\n", {value});\n' for value in values)
    variables = "".join(f"    const int64_t {name} = {value};\n" for name, value in VALUES.items())
    source = tmp_path / "expressions.cpp"
    includes = "".join(f"#include <{header}>\n" for header in ("algorithm", "cstdint", "cstdio"))
    source.write_text(f"{includes}int main() {{\n{variables}{lines}}}\n")
    subprocess.run(["c++", "-std=c++20", "-o", tmp_path / "expressions", source], check=True)
    output = subprocess.run([tmp_path / "expressions"], check=True, capture_output=True, text=True).stdout
    assert [int(line) for line in output.split()] == [expected for _, expected in CASES]
