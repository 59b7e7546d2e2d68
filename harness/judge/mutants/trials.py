"""One drill against many mutants of its rules: what it makes of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.judge.engine.evaluate import Evaluated
from driftdrill.harness.judge.engine.parallel import cores, in_parallel
from driftdrill.harness.judge.engine.promtool_run import TooManyAlerts
from driftdrill.harness.judge.evidence import Judged
from driftdrill.harness.judge.findings.validity import clean_start
from driftdrill.harness.judge.mutants.copies import apart, copied, edited, mutated, reads_at_large
from driftdrill.harness.judge.mutants.operators import Mutant
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.judge.under import evaluated
from driftdrill.reports.data.mutation import Fate
from driftdrill.reports.data.timeline import AlertTrack
from driftdrill.reports.data.verdict import Response
from driftdrill.stack.prometheus.promtool import Promtool

FEWEST, MOST = 8, 120
"""Mutants in one run of the engine: each run evaluates the rules themselves too."""


@dataclass(frozen=True)
class Trial:
    """What one drill made of one mutant."""

    fate: Fate
    seen: str = ""
    """The expectation that fails; the difference that none minds; why it is INVALID."""
    recording: str = ""
    say: str = ""
    """An expectation that would have failed under the mutant."""


def trials(clean: Judged, mutants: Sequence[Mutant], promtool: Promtool) -> list[Trial]:
    """What the drill of ``clean`` makes of each mutant, in as few runs of the engine as can be, in parallel."""
    clean = _judged_only(clean)
    stands: dict[int, bool] = {}
    for m in mutants:
        if id(m.original) not in stands:
            stands[id(m.original)] = apart(clean.rules, m.original, clean.drill.exprs)
    those = [i for i, m in enumerate(mutants) if stands[id(m.original)]]
    each = min(MOST, max(FEWEST, -(-len(those) // cores())))
    runs = -(-len(those) // each)
    # Dealt like cards, so that no run gets all the costly mutants of one rule.
    chunks = [those[start::runs] for start in range(runs)]
    chunks += [[i] for i, m in enumerate(mutants) if not stands[id(m.original)]]

    def tried(chunk: list[int]) -> list[Trial]:
        given = [mutants[i] for i in chunk]
        if stands[id(given[0].original)]:
            return together(clean, given, promtool)
        return [alone(clean, mutant, promtool) for mutant in given]

    made = [trial for chunk in in_parallel(tried, chunks) for trial in chunk]
    found = dict(zip((i for chunk in chunks for i in chunk), made, strict=True))
    return [found[i] for i in range(len(mutants))]


def alone(clean: Judged, mutant: Mutant, promtool: Promtool) -> Trial:
    """What the drill makes of one mutant in its place among the rules, in a run of its own."""
    drill, rules = clean.drill, mutated(clean.rules, mutant)
    try:
        made = evaluated(drill, rules, promtool, drill.exprs)
    except TooManyAlerts as e:
        return Trial("INVALID", e.cause)
    if made.errors:
        return Trial("INVALID", next(iter(made.errors.values())).why)
    return _trial(clean, rules, made.alerts, made)


def together(clean: Judged, given: Sequence[Mutant], promtool: Promtool) -> list[Trial]:
    """The mutants as copies among the rules, in one run."""
    drill, rules = clean.drill, clean.rules
    copies = copied(rules, given, drill.exprs)
    try:
        made = evaluated(drill, copies.rules, promtool, list(copies.exprs))
    except TooManyAlerts as e:
        if len(given) == 1:
            return [Trial("INVALID", e.cause)]
        half = len(given) // 2
        return together(clean, given[:half], promtool) + together(clean, given[half:], promtool)
    _same(clean, [t for t in made.alerts if t.alert not in copies.alerts])
    theirs = [(*copies.alerts[t.alert], t) for t in made.alerts if t.alert in copies.alerts]
    errors = {copies.mutant(copies.rules.known[place].rule.name): e.why for place, e in made.errors.items()}
    out = []
    for i, mutant in enumerate(given):
        if i in errors:
            out.append(Trial("INVALID", errors[i]))
            continue
        gone = {rule.name for rule in rules.touched[id(mutant.original)] if rule.kind == "alert"}
        alerts = [t for t in clean.evaluated[0].alerts if t.alert not in gone]
        alerts += [replace(t, alert=name) for which, name, t in theirs if which == i]
        asked = {expr: made.points[text] for text, (which, expr) in copies.exprs.items() if which == i}
        points = {**clean.evaluated[0].points, **asked}
        out.append(_trial(clean, mutated(rules, mutant), alerts, replace(clean.evaluated[0], points=points)))
    return out


def _judged_only(clean: Judged) -> Judged:
    """Without the alerts that are not judged and read others at large, as Kubernetes's InfoInhibitor does."""
    out = {k.rule.name for k in clean.rules.alerts if k.rule.name in clean.listed and reads_at_large(k.rule)}
    if not out:
        return clean
    first = clean.evaluated[0]
    alerts = tuple(t for t in first.alerts if t.alert not in out)
    rules = edited(clean.rules, lambda rule: [] if rule.kind == "alert" and rule.name in out else [rule])
    return replace(clean, rules=rules, evaluated=(replace(first, alerts=alerts),))


def _same(clean: Judged, alerts: Sequence[AlertTrack]) -> None:
    """The rules themselves must do among their mutants what they do alone."""
    if [_bare(t) for t in clean.evaluated[0].alerts] != [_bare(t) for t in alerts]:
        raise MonitoringError(
            "rules answer otherwise beside their mutants than alone", hint="a defect of driftdrill's: please report it"
        )


def _bare(track: AlertTrack) -> AlertTrack:
    """Without what hangs on the other rules: annotations, and the rule's place among them."""
    return replace(track, annotations={}, rule=None)


def _trial(clean: Judged, rules: Rules, alerts: Sequence[AlertTrack], made: Evaluated) -> Trial:
    asked = {expr: made.points[expr] for expr in clean.drill.exprs}
    tried = Evaluated(
        tuple(replace(t, rule=None) for t in alerts), (), asked, failed=made.failed, moments=(0.0,) * len(rules.groups)
    )
    judged = replace(clean, rules=rules, evaluated=(tried,))
    where = clean.drill.recording.path.name
    if (failure := failed(clean, judged)) is not None:
        return Trial("KILLED", failure, where)
    seen, say = difference(clean, judged)
    return Trial("SURVIVED", seen, where if seen else "", say)


def failed(clean: Judged, made: Judged) -> str | None:
    """The first expectation that held and fails now, or why the drill is INVALID now; None if nothing is."""
    for before, now in zip(clean.findings, made.findings, strict=True):
        if before.held and not now.held:
            return f"{now.check} fails: {now.seen}"
    reasons = [clean_start(clean.drill.phases, j.awaited, j.look_backs) for j in (clean, made)]
    return next((f"INVALID: {reason}" for reason in reasons[1] if reason not in reasons[0]), None)


def difference(clean: Judged, made: Judged) -> tuple[str, str]:
    """(what another word or time the first alert has that has one, the expectation that would tell); "" without."""
    for before, now in zip(clean.each, made.each, strict=True):
        if before.word != now.word:
            return f"{now.alert} is {now.word}, not {before.word}", _would_tell(before, now)
        if (fires := _moved(before.fired_at, now.fired_at)) and before.detect and now.detect:
            limit = (before.detect[1] + now.detect[1]) / 2
            say = f"fires({now.alert}, within={limit:.0f})" if fires.endswith("later") else ""
            return f"{now.alert} fires {fires}", say
        if resolves := _moved(before.resolved_at, now.resolved_at):
            return f"{now.alert} resolves {resolves}", f"resolves({now.alert}, within=...)" * resolves.endswith("later")
    return "", ""


def _moved(before: float | None, now: float | None) -> str:
    if before is None or now is None or before == now:
        return ""
    return f"{rounded_duration(abs(now - before))} {'later' if now > before else 'earlier'}"


def _would_tell(before: Response, now: Response) -> str:
    if before.word in ("SILENT", "NOT_JUDGED"):
        return f"quiet({now.alert})"
    return f"resolves({now.alert})" if now.word == "UNRESOLVED" else f"fires({now.alert})"
