"""A drill under rules: the engine is asked what they make of it, at each shift and moment that is wanted."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from driftdrill.harness.errors import UsageError
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.engine import evaluate as engine
from driftdrill.harness.judge.engine import fold
from driftdrill.harness.judge.evidence import Judged
from driftdrill.harness.judge.findings import limits
from driftdrill.harness.judge.findings.responses import of_rule
from driftdrill.harness.judge.rules.analysed import analyse
from driftdrill.harness.judge.rules.moments import Moment, can_be_put, refuse_unreadable
from driftdrill.harness.judge.rules.operands import operands
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.judge.why.born import born, missing, told
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.scenario.expect_alerts import Fires, Quiet
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import Promtool, check_loaded
from driftdrill.stack.rules.files import RuleFile


def under(
    drill: Drill,
    rules: Rules,
    promtool: Promtool,
    phases: int = 1,
    moments: Sequence[Moment] = (),
    *,
    own: bool = False,
) -> Judged:
    """The drill under ``rules``, evaluated at ``phases`` shifts, for each of the moments if there are any.

    ``own`` are the rules that were recorded with it: then a live server's answers stand, but for chosen moments.
    """
    refuse_unreadable(rules, moments)
    meta = drill.meta
    live = own and meta.clock == "wall" and not moments
    name = meta.engine if live else f"promtool {promtool.version}"
    lefts = [k.analysed.left for k in rules.alerts if k.analysed.left is not None]
    exprs = [*lefts, *(side for k in rules.alerts for side in operands(k.rule.expr)), *drill.exprs]
    if live:
        shifts = [fold.live_phases(drill.served, rules)]
    else:
        step = meta.evaluation_interval
        shifts = [[s] * len(rules.groups) for s in _phases(_needed(drill, rules, exprs), step, phases)]
    runs = [(shift, m) for m in moments or (None,) for shift in shifts]
    try:
        _refuse_unloadable(promtool, rules.files)
    except StackError as e:
        if not live:
            raise
        # The server took them; of what promtool would have been asked beside it nothing is known.
        failed = {expr: {0.0: str(e)} for expr in exprs}
        return Judged(drill, rules, (engine.Evaluated((), failed=failed, moments=tuple(shifts[0])),), name, live)
    if len(runs) == 1:
        made = [evaluated(drill, rules, promtool, exprs, *runs[0])]
    else:
        with ThreadPoolExecutor(max_workers=2) as pool:  # each waits for a promtool of its own
            made = list(pool.map(lambda run: evaluated(drill, rules, promtool, exprs, *run), runs))
    judged = Judged(drill, rules, tuple(made), name, live, moments=tuple(m.said for m in moments))
    unborn = _unborn(judged, promtool)
    return replace(judged, unborn=unborn) if unborn else judged


def _unborn(judged: Judged, promtool: Promtool) -> dict[int, tuple[str, bool]]:
    """Of the alerts that must fire or be quiet, and ask for labels that no series had: whether they fire with one."""
    named = {e.alert for e in judged.drill.expect if isinstance(e, Fires | Quiet)}
    out: dict[int, tuple[str, bool]] = {}
    for known in judged.rules.alerts:
        if known.rule.name not in named or not (nodes := missing(known, judged.seen)):
            continue
        fires = False
        for made in (born(nodes, judged.seen, rising=True), born(nodes, judged.seen, rising=False)):
            if made is None or fires:
                continue
            tried = evaluated(judged.drill, judged.rules, promtool, (), more=made)
            own = of_rule(tried.alerts, known)
            fires = any(t.fired for t in own)
        out[known.index] = told(nodes), fires
    return out


_accepted: set[tuple[Promtool, tuple[str, ...]]] = set()
"""Engines and the rule files that they have no complaint about: each is asked once."""


def _refuse_unloadable(promtool: Promtool, files: Sequence[RuleFile]) -> None:
    """Raise the engine's complaint, with file and line, about a rule file that it would not load."""
    key = promtool, tuple(f.text for f in files)
    if key not in _accepted:
        check_loaded(promtool, files)
        _accepted.add(key)


def evaluated(
    drill: Drill,
    rules: Rules,
    promtool: Promtool,
    exprs: Sequence[str],
    phases: Sequence[float] = (),
    at: Moment | None = None,
    more: Sequence[Samples] = (),
) -> engine.Evaluated:
    """The rules over the drill's samples and ``more``, and ``exprs``; each group at its moment in ``phases``, or 0.

    Scenario second 0 is taken to be ``at``; without, when the drill began, as far as every clock can be put so.
    """
    if at is None and all(can_be_put(expr) for expr in (*(k.rule.expr for k in rules.known), *exprs)):
        at = Moment("", drill.meta.started_at)

    def rebase(samples: Sequence[Samples], zero: float) -> list[Samples]:
        return limits.rebase(samples, rules, drill.meta, zero if at is None else at.unix)

    return engine.evaluate(
        [*_needed(drill, rules, exprs), *more],
        rules,
        promtool,
        end=drill.phases["recovery"].end,
        interval=drill.meta.evaluation_interval,
        exprs=exprs,
        phases=phases,
        rebase=rebase,
        clock=(lambda expr, zero: expr) if at is None else at.clock,
    )


def _needed(drill: Drill, rules: Rules, exprs: Sequence[str]) -> list[Samples]:
    return engine.needed(drill.samples, rules.known, [analyse(e).metrics for e in exprs])


def _phases(samples: Sequence[Samples], interval: float, count: int) -> list[float]:
    """``count`` shifts in [0, interval), none of which lets an evaluation meet a scrape."""
    if not 1 <= count <= 100:
        raise UsageError(f"phases must be 1 to 100, not {count}")
    step = round(interval * 1000)
    taken = {int(m) for s in samples if len(s.times) for m in np.unique(s.times % step)}
    out = [0]
    for i in range(1, count):
        shift = i * step // count
        while shift in taken and shift + 1 < step:
            shift += max(1, step // 150)
        out.append(shift)
    return [shift / 1000 for shift in out]
