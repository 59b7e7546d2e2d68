"""What can be told before a drill: expectations that these rules can never meet, whatever happens."""

from collections.abc import Iterable

from driftdrill.durations import format_duration
from driftdrill.harness.errors import RuleError, ScenarioError, nearest
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why import CHECKS
from driftdrill.harness.scenario.expect_alerts import Fires, Quiet, Resolves, Silent
from driftdrill.harness.scenario.expectation import shown
from driftdrill.harness.scenario.scenario import Scenario


def refuse_hopeless(scenario: Scenario, rules: Rules) -> None:
    """Raise :class:`ScenarioError` or :class:`RuleError` for an expectation that cannot be judged under the rules."""
    reasons = [check.name for check in CHECKS]
    for e in scenario.expect:
        if isinstance(e, Silent) and e.because not in reasons:
            raise ScenarioError(
                f"Scenario {scenario.name!r}: silent({e.alert}) gives {e.because!r}, which is no reason that is found",
                hint=nearest(e.because, reasons),
            )
        if isinstance(e, Fires | Quiet | Resolves | Silent) and e.alert is not None:
            named = [k for k in rules.alerts if k.rule.name == e.alert]
            if named and e.labels and not any(k.may_be(e.labels) for k in named):
                raise RuleError(
                    f"no rule {e.alert} can have {shown(e.labels)}, which the scenario expects: {_said(named)}",
                    where=named[0].where,
                    hint="name labels that the alert has: those of its rule and of the series that it reads",
                )
        if isinstance(e, Resolves):
            _refuse_short(scenario, (k for k in rules.alerts if k.rule.name == e.alert))


def _said(rules: Iterable[KnownRule]) -> str:
    return ", ".join(f"{k.where} has {shown({**k.group.labels, **k.rule.labels})}" for k in rules)


def _refuse_short(scenario: Scenario, rules: Iterable[KnownRule]) -> None:
    """Refuse a recovery that is shorter than the alert looks back."""
    for known in rules:
        if scenario.recovery < known.settle:
            raise ScenarioError(
                f"Scenario {scenario.name!r}: resolves({known.rule.name}) needs a recovery of "
                f"{format_duration(known.settle)} (look-back + for + keep_firing_for, {known.where}), "
                f"not {format_duration(float(scenario.recovery))}",
                hint="lengthen recovery, or drop resolves",
            )
