"""Every case that was reported: the entries that hold it, the test elsewhere that does, or why it is open."""

import re
from pathlib import Path

from tests.shared import ROOT
from tests.truth.table import ENTRIES

CASES: dict[str, tuple[str, ...]] = {
    "alertmanager_inhibits": ("OPEN",),
    "annotation_labels_lost": ("labels of an annotation that the aggregation dropped",),
    "chaos_undo": ("tests/stack/test_held.py::test_a_drill_that_is_ended_by_a_signal_undoes",),
    "coarse_buckets": ("interpolation inside a coarse bucket",),
    "counter_born": ("silent because of counter_born", "another reason, in the trap counter_born"),
    "foreign_reports_package": ("tests/install/test_wheel.py::test_a_project_has_packages_of_our_rooms_names",),
    "gunicorn_workers": ("two workers behind one page",),
    "judge_lies/01": (
        "an aggregation that is cut off",
        "an experimental function",
        "a template of an unknown variable",
        "a control of the table",
    ),
    "judge_lies/02": ("ALERTS of a group with another interval",),
    "judge_lies/03": ("a certificate that ends", "a latency is no Unix time"),
    "judge_lies/05": ("a subquery steps by the global interval",),
    "judge_lies/06": ("the page is expected and only the ticket fires", "the ticket fires and the page does not"),
    "judge_lies/07": ("an interval longer than the fault",),
    "judge_takes_a_broken_rule_file": ("a function that nobody knows", "a template that is not closed"),
    "kubernetes_discovery": ("OPEN",),
    "le_one": (
        "silent because of le_spelling",
        "tests/stack/scrape/test_page.py::test_bounds_stay_as_they_are_written_where_the_engine_is_of_2",
    ),
    "locust_user_raises": (
        "tests/harness/traffic/test_locust_ends.py::test_what_the_users_own_code_raises_keeps_locusts_exit_code",
    ),
    "many_to_many_in_rollout": ("many-to-many during a rollout",),
    "native_histogram_rule": ("silent because of native_histogram", "OPEN"),
    "odd_labels": (
        "a control character in a label",
        "delete in a label",
        "a noncharacter in a label",
        "a label name with a dot",
        "a metric name with dots",
    ),
    "one_worker_hangs": (
        "tests/harness/test_hang_from_outside.py::test_one_worker_of_several_that_hangs_is_no_hang_of_the_service",
    ),
    "operator_rule_selector": ("OPEN",),
    "otel_dots": ("silent because of escaped_name", "a quoted metric name on an engine of identifiers"),
    "own_service": ("a label that the rule sets otherwise", "a label name that nothing has"),
    "page_refreshed_late": (
        "a page refreshed on an interval of its own",
        "tests/harness/test_virtual_lies.py::test_a_page_refreshed_on_an_interval_of_its_own_is_found_and_invalid",
        "tests/harness/test_virtual_lies.py::test_a_server_that_closes_after_an_error_gets_a_new_connection_as_in_real_time",
    ),
    "pushgateway_freshness": ("a push time that the service goes on setting", "OPEN"),
    "regression": (
        "answers a thousand times too large",
        "tests/harness/test_harm_drills.py::test_answers_a_thousand_times_too_large_are_harmful",
    ),
    "sparse_scrapes": ("a sparse scrape between which a series is stale",),
    "status_value_grouped": ("status 500 asked of grouped codes", "status 5xx asked of grouped codes"),
    "top_bucket": ("silent because of above_top_bucket", "quiet, and cannot fire: above_top_bucket"),
    "value_in_a_label": ("silent because of changing_labels",),
    "wild_vllm_rules": ("vLLM's old name, through a recording rule", "vLLM's own name", "OPEN"),
}

OPEN: dict[str, str] = {
    "repeatable sums": "promtool 2.42 adds in random order: a response that hangs on the last digit is marked on the edge, not decided",
    "pushgateway_freshness": "a clock that the service sets is NOT_JUDGED in virtual time; it needs the true clock",
    "native_histogram_rule": "native histograms are not scraped: told as not recorded",
    "alertmanager_inhibits": "FIRED is not notified: routes and inhibitions are not judged",
    "operator_rule_selector": "which Prometheus selects a PrometheusRule is not looked at",
    "kubernetes_discovery": "targets of a discovery are given by address, without meta labels",
    "wild_vllm_rules": "`prove`, which tries rules on a page, is a later verb; a drill tells their names",
}
"""What is not told yet, each with what is seen instead."""


def untold() -> list[str]:
    """Cases whose entry or test is not there, and names that two entries share."""
    names = [e.name for e in ENTRIES]
    out = [f"two entries are called {name!r}" for name in sorted(set(names)) if names.count(name) > 1]
    for case, held_by in CASES.items():
        for what in held_by:
            file, _, test = what.partition("::")
            there = what in names or (what == "OPEN" and case in OPEN)
            if test:
                text = Path(ROOT / file).read_text(encoding="utf-8")
                there = re.search(rf"^def {test}\(", text, re.MULTILINE) is not None
            if not there:
                out.append(f"{case}: nothing is called {what!r}")
    return out
