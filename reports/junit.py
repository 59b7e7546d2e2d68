"""Verdicts as JUnit XML, as GitHub Actions, GitLab and Jenkins read it: red exactly where the exit code is not 0.

A suite is a drill; a case is its validity, or one expectation, or a condition that the user added
(``--fail-on``). In an INVALID drill nothing is proven: its validity is an error, its expectations are skipped.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, indent, tostring

from driftdrill.reports import text
from driftdrill.reports import words as wording
from driftdrill.reports.data.verdict import Finding, Verdict
from driftdrill.reports.html.markup import el
from driftdrill.reports.words import plain


def render(verdicts: Sequence[Verdict]) -> str:
    """The XML document with its declaration; encode it as UTF-8. An accepted finding is skipped, with the reason."""
    suites = [_suite(v) for v in verdicts]
    counts = _counts(suites)
    del counts["skipped"]  # Jenkins's schema knows none here
    root = el("testsuites", *suites, name="driftdrill", **counts)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(verdict: Verdict) -> Element:
    cases = list(_cases(verdict))
    facts = {
        "seed": str(verdict.seed),
        "clock": verdict.clock,
        "engine": verdict.engine,
        "target": verdict.target,
        "recording": verdict.recording,
        **{f"version.{name}": version for name, version in sorted(verdict.versions.items())},
    }
    properties = el("properties", *(el("property", name=plain(k), value=plain(v)) for k, v in facts.items() if v))
    suite = el("testsuite", properties, *cases, name=plain(verdict.scenario), time=round(verdict.timeline.end, 3))
    if (stamp := _timestamp(verdict.started_at)) is not None:
        suite.set("timestamp", stamp)
    for key, count in _counts([suite]).items():
        suite.set(key, str(count))
    out = Element("system-out")
    out.text = text.render(verdict, width=100)
    suite.append(out)
    return suite


def _counts(suites: Sequence[Element]) -> dict[str, int]:
    tags = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    return {key: sum(1 for suite in suites for _ in suite.iter(tag)) for key, tag in tags.items()}


def _cases(verdict: Verdict) -> Iterator[Element]:
    reasons = [plain(r) for r in verdict.validity.reasons] or ["no reason was recorded"]
    error = (
        None if verdict.validity.valid else _outcome("error", "INVALID: " + reasons[0], "\n".join(reasons), "invalid")
    )
    yield _case(verdict, "validity", error)
    for f in verdict.findings:
        yield _case(verdict, f.check, _found(verdict, f))
    if verdict.asserts_nothing and verdict.validity.valid:
        why = wording.headline(verdict).why
        yield _case(verdict, "something is asserted", _outcome("error", why[0], "\n".join(why), "asserts_nothing"))
    if "silent_failure" in verdict.fail_on and verdict.validity.valid:
        why = wording.headline(verdict).why
        silent = bool(verdict.silent_failures)
        failure = _outcome("failure", why[0], "\n".join(why), "silent_failure") if silent else None
        yield _case(verdict, "no silent failure", failure)


def _found(verdict: Verdict, f: Finding) -> Element | None:
    if not verdict.validity.valid:
        return el("skipped", message="the drill is INVALID and proves nothing")
    if f.held:
        return None
    if f.accepted:
        return el("skipped", message=f"accepted: {plain(f.accepted)}; seen {plain(f.seen)}")
    said = [
        ("expected", f.expected),
        ("seen", f.seen),
        ("where", wording.where(f.where)),
        ("margin", f.margin),
        ("hint", f.hint),
    ]
    body = "\n".join(f"{label}: {plain(what)}" for label, what in said if what)
    # An error is what could not be judged, a failure what the evidence refutes.
    how = "failure" if f.refuted else "error"
    return _outcome(how, f"expected {plain(f.expected)}; seen {plain(f.seen)}", body, f.code)


def _outcome(tag: str, message: str, body: str, kind: str) -> Element:
    element = el(tag, message=message, type=plain(kind))
    element.text = body
    return element


def _case(verdict: Verdict, check: str, outcome: Element | None) -> Element:
    return el("testcase", outcome, classname=plain(verdict.scenario), name=plain(check), time=0)


def _timestamp(started_at: str) -> str | None:
    """JUnit's timestamps have no zone: UTC, to the second. None for what is no time."""
    try:
        at = datetime.fromisoformat(started_at)
    except ValueError:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") if at.tzinfo else None
