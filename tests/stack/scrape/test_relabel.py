"""Relabelling rules as values: what each needs, and labels that meet their target's.

What the actions do is compared with a real Prometheus in tests/harness/drive/test_scrape_conformance.py.
"""

from typing import Any

import pytest

from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.relabel import Relabel, attach, relabel

REFUSED = [
    ({"action": "rename"}, "unknown relabel action 'rename'"),
    ({"action": "replace"}, "needs a target_label"),
    ({"action": "hashmod", "target_label": "x"}, "needs a modulus"),
    ({"action": "hashmod", "modulus": 2}, "needs a target_label"),
    ({"action": "labeldrop", "source_labels": ("x",)}, "takes only regex, not source_labels"),
    ({"action": "labelkeep", "regex": "x", "replacement": "y"}, "takes only regex, not replacement"),
    (
        {"action": "keepequal", "target_label": "x", "regex": "y"},
        "takes only source_labels and target_label, not regex",
    ),
    ({"action": "lowercase", "target_label": "x", "replacement": "y"}, "takes no replacement"),
    ({"action": "labelmap", "replacement": ""}, "needs a replacement"),
    ({"action": "drop", "regex": "("}, "is not a regular expression"),
]


@pytest.mark.parametrize(("options", "reason"), REFUSED)
def test_a_rule_that_prometheus_refuses_is_refused_with_its_reason(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        Relabel(**options)


def test_rules_apply_in_order_and_the_first_drop_ends_them() -> None:
    rules = [
        Relabel(source_labels=("a",), target_label="b", replacement="$1$1"),
        Relabel(action="drop", source_labels=("b",), regex="11"),
        Relabel(action="replace", target_label="c", replacement="x"),
    ]
    assert relabel({"a": "1"}, rules) is None
    assert relabel({"a": "2"}, rules) == {"a": "2", "b": "22", "c": "x"}


def test_a_label_that_becomes_empty_is_gone() -> None:
    assert relabel({"a": "1", "b": ""}, [Relabel(source_labels=("none",), target_label="a")]) == {}


def test_a_mapping_that_collides_keeps_the_last_by_name() -> None:
    rules = [Relabel(action="labelmap", regex="[xy]_(.*)")]
    assert relabel({"y_pod": "y", "x_pod": "x"}, rules) == {"x_pod": "x", "y_pod": "y", "pod": "y"}


def test_the_target_wins_and_the_series_keeps_its_own_as_exported() -> None:
    series, target = {"__name__": "a", "job": "own", "exported_job": "older"}, {"job": "model", "instance": "i"}
    attached = attach(series, target, honor_labels=False)
    assert attached == {
        "__name__": "a",
        "job": "model",
        "instance": "i",
        "exported_job": "older",
        "exported_exported_job": "own",
    }


def test_honoured_labels_win_even_when_they_are_empty() -> None:
    target = {"job": "model", "instance": "i", "zone": "z"}
    attached = attach({"__name__": "a", "job": "own", "instance": ""}, target, honor_labels=True)
    assert attached == {"__name__": "a", "job": "own", "zone": "z"}
