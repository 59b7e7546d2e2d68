"""A syntax tree is printed as PromQL that reads as the very same tree."""

import math

import promql_parser
import pytest
from hypothesis import given, settings

from driftdrill.harness.judge.rules.promql import constant, kind, rewrite, selector, show, tree
from tests.harness.judge.expressions import BACKSLASH_IN_BACKTICKS, CORNERS, EXPRESSIONS, OWN


@pytest.mark.parametrize("expr", [*OWN, *CORNERS])
def test_an_expression_is_printed_as_what_it_was(expr: str) -> None:
    assert repr(promql_parser.parse(show(promql_parser.parse(expr)))) == repr(promql_parser.parse(expr))
    assert tree(expr) is not None


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_any_expression_is_printed_as_what_it_was(expr: str) -> None:
    assert repr(promql_parser.parse(show(promql_parser.parse(expr)))) == repr(promql_parser.parse(expr))


def test_what_cannot_be_read_has_no_tree() -> None:
    assert tree("x > ") is None
    assert tree(BACKSLASH_IN_BACKTICKS) is None


def test_a_part_is_put_otherwise_wherever_it_stands() -> None:
    def renamed(node: object, parts: list[str]) -> str | None:
        return selector(node, "y") if kind(node) == "VectorSelector" else None

    said = rewrite(tree('sum by (job) (rate(x{a="b"}[1500ms] offset 5m)) > 5 and x @ end()'), renamed)
    assert said == 'sum by (job) (rate(y{a="b"}[1s500ms] offset 5m)) > 5 and y @ end()'


@pytest.mark.parametrize(
    ("expr", "value"),
    [("2 * (0.1 + 1)", 2.2), ("0 ^ -1", None), ("(0 - 8) ^ 0.5", None), ("1 / 0", None), ("10 ^ 400", None)],
)
def test_a_constant_is_its_value_or_unknown(expr: str, value: float | None) -> None:
    found = constant(tree(expr))
    assert found is None if value is None else math.isclose(found or 0.0, value)
