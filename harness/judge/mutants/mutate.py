"""Which mutants of the rules do recorded drills kill? Every drill must hold under the rules as they are.

A mutant is killed by a drill in which an expectation that held fails under it, or which it makes INVALID. One that is
killed is not tried on the drills that follow.
"""

import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from driftdrill.harness.errors import UsageError, nearest
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.engine.parallel import in_parallel
from driftdrill.harness.judge.evidence import ALWAYS_FIRING, Judged
from driftdrill.harness.judge.mutants.operators import NEVER, OPERATORS, Mutant, mutants
from driftdrill.harness.judge.mutants.remedies import remedy
from driftdrill.harness.judge.mutants.trials import Trial, failed, trials
from driftdrill.harness.judge.rules.promql import tree
from driftdrill.harness.judge.rules.rules import KnownRule, Rules, may_read
from driftdrill.harness.judge.under import under
from driftdrill.harness.scenario.expect_alerts import Silent
from driftdrill.reports.data.mutation import MutantResult, Mutation
from driftdrill.stack.prometheus.promtool import Promtool, run
from driftdrill.stack.rules.files import Group, RuleFile, to_rule_file

_SAID = re.compile(r'group "(\d+)", rule 1, .*?: (.*)')


def as_they_are(drills: Sequence[Drill], rules: Rules, promtool: Promtool) -> list[Judged]:
    """Every drill under the rules as they are, in parallel processes."""
    made = in_parallel(lambda i: under(drills[i], rules, promtool).evaluated, range(len(drills)))
    engine = f"promtool {promtool.version}"
    # Why an alert is silent is asked of each mutant only where an expectation hangs on it: it costs more than the rest.
    trapped = [frozenset(e.alert for e in d.expect if isinstance(e, Silent)) for d in drills]
    return [
        Judged(drill, rules, found, engine, explained=names)
        for drill, found, names in zip(drills, made, trapped, strict=True)
    ]


def mutate(
    clean: Sequence[Judged], promtool: Promtool, *, only: Collection[str] = (), operators: Collection[str] = ()
) -> Mutation:
    """What became of every mutant of the rules that the drills of ``clean`` hold under.

    ``only`` are names of rules: of an alert, the recording rules that feed it too. ``operators`` are names, or ids of
    the fault catalogue. Raises :class:`UsageError` for a name that there is not, and for drills that would hold if
    every alert were gone; :class:`MonitoringError` if promtool fails.
    """
    rules = clean[0].rules
    _refuse_unknown(rules, only, operators)
    _control(clean)
    subjects, left_out = _subjects(clean, only)
    found = [(known, m) for known in subjects for m in mutants(known.rule)]
    if operators:
        found = [(known, m) for known, m in found if {m.operator.name, m.operator.id} & set(operators)]
    if not found:
        raise UsageError("these rules have no such mutant", hint="leave out --only or --operator")
    made: dict[int, Trial] = refused([m for _, m in found], promtool)
    for judged in clean:
        now = [
            i
            for i, (known, _) in enumerate(found)
            if (i not in made or made[i].fate == "SURVIVED") and _reached(known, judged)
        ]
        for i, trial in zip(now, trials(judged, [found[i][1] for i in now], promtool), strict=True):
            if trial.fate != "SURVIVED" or i not in made or not made[i].seen:
                made[i] = trial
    return Mutation(
        mutants=tuple(_result(known, m, made.get(i), clean) for i, (known, m) in enumerate(found)),
        rules=tuple(str(f.path) for f in rules.files),
        recordings=tuple(str(j.drill.recording.path) for j in clean),
        engine=clean[0].engine,
        left_out=left_out,
    )


def _refuse_unknown(rules: Rules, only: Collection[str], operators: Collection[str]) -> None:
    known = {
        "rule": (only, {k.rule.name for k in rules.known}),
        "operator": (operators, {*OPERATORS, *(o.id for o in OPERATORS.values() if o.id)}),
    }
    for what, (given, names) in known.items():
        for name in given:
            if name not in names:
                raise UsageError(f"no {what} is named {name!r}", hint=nearest(name, names))


def _control(clean: Sequence[Judged]) -> None:
    """A mutant that must be killed: no alert ever fires."""
    dark = [replace(j, evaluated=(replace(j.evaluated[0], alerts=()),)) for j in clean]
    if all(failed(was, now) is None for was, now in zip(clean, dark, strict=True)):
        raise UsageError(
            "the recordings expect no alert to fire: they would hold if every rule were gone",
            hint="give recordings of drills that say fires(...)",
        )


def _subjects(clean: Sequence[Judged], only: Collection[str]) -> tuple[list[KnownRule], dict[str, str]]:
    """(rules to mutate, those left out and why)."""
    rules = clean[0].rules
    named = {name for j in clean for name in j.drill.named}
    exprs = [expr for j in clean for expr in j.drill.exprs]
    subjects, left_out = [], {}
    for known in rules.known:
        rule = known.rule
        reaches = rules.touched[id(rule)]
        if only and not any(r.name in only for r in reaches):
            continue
        if tree(rule.expr) is None:
            left_out[rule.name] = f"its expression cannot be read ({known.where})"
        elif known.alert and rule.name in ALWAYS_FIRING and rule.name not in named:
            left_out[rule.name] = "fires always by design"
        elif not any(r.kind == "alert" or any(may_read(e, [r.name]) for e in exprs) for r in reaches):
            left_out[rule.name] = "no alert and no expectation reads it"
        else:
            subjects.append(known)
    return subjects, left_out


def _reached(known: KnownRule, judged: Judged) -> bool:
    """Whether the drill has something that the rule reads, or the rule or one that feeds it asks for absence."""
    if not known.metrics or not known.metrics.isdisjoint(judged.drill.present):
        return True
    touched = judged.rules.touched
    return any("absent" in k.rule.expr for k in judged.rules.known if known.rule in touched[id(k.rule)])


def refused(found: Sequence[Mutant], promtool: Promtool) -> dict[int, Trial]:
    """The mutants that the engine does not take."""
    groups = tuple(Group(str(i), (m.rule,)) for i, m in enumerate(found))
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        Path(folder, "rules.yml").write_text(to_rule_file(RuleFile(Path("rules.yml"), groups)), encoding="utf-8")
        done = run(promtool, ["check", "rules", "--lint=none", "rules.yml"], cwd=Path(folder))
    return {int(i): Trial("INVALID", why) for i, why in _SAID.findall(done.stderr)} if done.returncode else {}


def _result(known: KnownRule, mutant: Mutant, trial: Trial | None, clean: Sequence[Judged]) -> MutantResult:
    told = trial or Trial("NOT_COVERED", f"no scrape had {', '.join(sorted(known.metrics or ()))}")
    kept = trial is not None and trial.fate == "SURVIVED"
    feeds = list(dict.fromkeys(r.name for r in clean[0].rules.touched[id(known.rule)] if r.kind == "alert"))
    did = [r for j in clean for r in j.each if r.alert in feeds]
    peaks = [r.peak for r in did if r.alert == known.rule.name and r.peak is not None]
    unjudged = did[0].note if did and all(r.word == "NOT_JUDGED" for r in did) else ""
    return MutantResult(
        rule=known.rule.name,
        where=known.where,
        operator=mutant.operator.name,
        was=mutant.was,
        now=mutant.now,
        fate=told.fate,
        id=mutant.operator.id,
        recording=told.recording,
        seen=told.seen,
        remedy=remedy(mutant, feeds, told.say, max(peaks, default=None), unjudged) if kept else "",
        blind=mutant.rule.expr == NEVER,
    )
