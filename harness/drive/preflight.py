"""Preflight: what must be true before a drill may begin. Each refusal names its remedy; nothing is repaired."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from driftdrill.durations import format_duration
from driftdrill.harness.errors import MonitoringError, RuleError, ScenarioError, TargetError, nearest
from driftdrill.harness.scenario.measure import refuse_predictions, settled
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.blocks import Blocks, truth_of
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.http.response import Reply, RequestFailed
from driftdrill.harness.traffic.protocols import Predictions, Protocol, Request, Undecodable
from driftdrill.harness.traffic.protocols.detect import other_protocol
from driftdrill.stack.prometheus.api import Server, rules, targets
from driftdrill.stack.rules.files import RuleFile

DISCOVERY = 6.0
"""Seconds after which a Prometheus that ran before must know its targets: it discovers anew every five."""


@dataclass(frozen=True)
class FirstAnswer:
    """The answer to one row before the drill."""

    seconds: float
    prediction: float | str


def probe(target: Target, blocks: Blocks, clients: Sequence[Client]) -> FirstAnswer:
    """Send the schedule's first request to every address, once.

    Raises :class:`TargetError` if an address refuses, hangs, or answers what is no prediction; the hint names the
    protocol that the server's own answers tell, if it is another.
    """
    body = blocks.block(0).bodies[0]
    begun = time.perf_counter()
    asked = (blocks.protocol, blocks.rows_per_request, target, blocks.labels)
    answers = [ask(client, body, *asked) for client in clients]
    seconds = (time.perf_counter() - begun) / len(clients)
    for found in answers:
        _fitting(blocks, found)
    return FirstAnswer(seconds, answers[0][0])


def _fitting(blocks: Blocks, predictions: Predictions) -> None:
    """Raise :class:`ScenarioError` unless what a model answers can be compared by the scenario's measure."""
    scenario = blocks.scenario
    if scenario.truth is not None:
        truth = truth_of(scenario, blocks.source)
        measure = settled(scenario.measure, scenario.smallest_harm, truth)  # type: ignore[arg-type]
        refuse_predictions(measure, scenario.measure is not None, truth, list(predictions))


def ask(
    client: Client, body: bytes | Request, protocol: Protocol, rows: int, target: Target, labels: bool = False
) -> Predictions:
    """The predictions for ``rows`` clean rows. Raises :class:`TargetError` as :func:`probe` does."""
    url, redact = client.url, client.connection.redact
    try:
        reply = client.post(body)
    except RequestFailed as e:
        hints = {
            "refused": "is the model running, and on this port?",
            "timeout": "the service accepts the connection and does not answer",
            "redirect": "the redirect leaves the target's origin: give the address that the model itself has",
            "proxy": "check proxy of the target in driftdrill.toml; one that wants credentials is not supported",
            "tls": "check ca, cert and key of the target in driftdrill.toml",
        }
        raise TargetError(f"no answer from {url}: {e}", hint=hints.get(e.kind, "try it with curl")) from e
    if not 200 <= reply.status < 300:
        raise TargetError(
            redact(f"{url} answered {reply.status} to a clean row: {_excerpt(reply)}"),
            hint=_remedy(reply.status, target),
        )
    try:
        return protocol.decode(reply.body, rows, True) if labels else protocol.decode(reply.body, rows)
    except Undecodable as e:
        raise TargetError(
            redact(f"{url} answered 200, but no prediction: {e}: {_excerpt(reply)}"),
            hint=other_protocol(target)
            or "set result (a JMESPath expression) of the target in driftdrill.toml; labels are compared with a truth "
            "that is texts",
        ) from e


def _remedy(status: int, target: Target) -> str:
    if status in (401, 403):
        return "give the target's bearer, basic or secret_headers in driftdrill.toml"
    return (
        other_protocol(target)
        or "is this the model that the scenario's rows are for? path and body are set in driftdrill.toml"
    )


def _excerpt(reply: Reply) -> str:
    text = " ".join(reply.body[:200].decode("utf-8", "replace").split())
    return (text[:80] + "…" if len(text) > 80 else text) or "an empty body"


def known_alerts(scenario: Scenario, files: Iterable[RuleFile]) -> None:
    """Raise :class:`RuleError` for an alert that an expectation names and no rule file has."""
    known = {rule.name for file in files for group in file.groups for rule in group.rules if rule.kind == "alert"}
    if not known:
        raise RuleError("the rule files hold no alert", hint="name them with --rules or in driftdrill.toml")
    for expectation in scenario.expect:
        for alert in expectation.alerts:
            if alert not in known:
                raise RuleError(f"no rule is named {alert!r}, which the scenario expects", hint=nearest(alert, known))


def scraped_within_fault(scenario: Scenario, intervals: Iterable[float]) -> None:
    """Raise :class:`ScenarioError` where no page is scraped as often as the fault phase is long.

    ``intervals`` are the scrape intervals of the target's pages, seconds.
    """
    shortest = min(intervals, default=0.0)
    if shortest > scenario.fault:
        raise ScenarioError(
            f"Scenario {scenario.name!r}: the target is scraped every {format_duration(shortest)}, and the fault lasts "
            f"{format_duration(scenario.fault)}: no scrape need fall into it",
            hint="lengthen fault, or shorten scrape_interval",
        )


def evaluated_within_fault(scenario: Scenario, files: Iterable[RuleFile], served: Mapping[str, float]) -> None:
    """Raise :class:`ScenarioError` where an alert is evaluated less often than the fault phase is long.

    Of the rule groups those count of which an expectation names an alert; of all, one must be left that is evaluated in
    time. ``served`` are the intervals, in seconds by group, that a server evaluates at.
    """
    fault, named = scenario.fault, {alert for e in scenario.expect for alert in e.alerts}
    groups = [g for f in files for g in f.groups if any(r.kind == "alert" for r in g.rules)]
    every = {id(g): g.interval or served.get(g.name) or scenario.evaluation_interval for g in groups}
    slow = [g for g in groups if every[id(g)] > fault]
    for group in slow:
        if len(slow) == len(groups) or any(r.name in named for r in group.rules):
            interval = format_duration(every[id(group)])
            raise ScenarioError(
                f"Scenario {scenario.name!r}: rule group {group.name!r} is evaluated every {interval}, and the fault "
                f"lasts {format_duration(fault)}: no evaluation need fall into it",
                hint="lengthen fault, or shorten "
                + ("the group's interval" if group.interval else "evaluation_interval"),
            )


def loaded(server: Server, files: Iterable[RuleFile]) -> None:
    """Raise :class:`MonitoringError` unless the server lists every alert of the files."""
    listed = {rule.name for group in rules(server) for rule in group.rules if rule.kind == "alert"}
    wanted = {rule.name for file in files for group in file.groups for rule in group.rules if rule.kind == "alert"}
    missing = sorted(wanted - listed)
    if missing:
        raise MonitoringError(
            f"Prometheus has not loaded {len(missing)} of {len(wanted)} alerts: {', '.join(missing[:5])}",
            hint="compare rule_files in prometheus.yml with the files given; /api/v1/rules lists what is loaded",
        )


def scraped(server: Server, target: Target, timeout: float) -> None:
    """Wait until every target that must be scraped is up; raise :class:`MonitoringError` after ``timeout`` seconds.

    Those are the target's metrics pages, or whatever the server finds for the jobs of its prometheus.yml.
    """
    pages = {(m.job, m.instance) for m in target.metrics}
    begun = time.monotonic()
    deadline = begun + timeout
    while True:
        found = {(t.labels.get("job", ""), t.labels.get("instance", "")): t for t in targets(server)}
        of_jobs = {key for key in found if key[0] in target.jobs} | {
            (job, "") for job in target.jobs if job not in {key[0] for key in found}
        }
        down = sorted(w for w in pages | of_jobs if w not in found or found[w].health != "up")
        if not down:
            return
        missing = server.how == "server" and any(w not in found for w in pages | of_jobs)
        if time.monotonic() > (min(deadline, begun + DISCOVERY) if missing else deadline):
            job, instance = down[0]
            known = found.get(down[0])
            why = f"its last scrape said: {known.last_error}" if known else "Prometheus has no such target"
            raise MonitoringError(
                f"job {job!r}, instance {instance!r} is not scraped: {why}",
                hint="a drill whose target is not scraped proves nothing; see /targets of that Prometheus",
            )
        time.sleep(0.1)
