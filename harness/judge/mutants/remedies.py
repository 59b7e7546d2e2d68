"""The drill that would kill a mutant which survives, where one is known."""

from collections.abc import Sequence

from driftdrill.durations import format_duration
from driftdrill.harness.judge.mutants.operators import Mutant


def remedy(mutant: Mutant, feeds: Sequence[str], say: str, peak: float | None, unjudged: str) -> str:
    """One sentence. ``feeds`` are the alerts that it may move, ``say`` an expectation that would have failed,
    ``peak`` how near an alert's left side came to its threshold, 1 = the threshold, in any of the drills, and
    ``unjudged`` why none of the drills judges any of them, "" if one does."""
    if say:
        return f"say {say} of that drill"
    if unjudged:
        return f"drills that judge it ({unjudged}): lengthen warm_up or baseline, or give --history"
    told = _drill(mutant, " or ".join(feeds) or "the alert")
    if peak is None or mutant.operator.name.partition(".")[0] not in ("threshold", "comparison", "rule"):
        return told
    return (
        f"{told}; in these drills it came to "
        + (f"{peak:.0%} of" if peak < 1 else f"{peak:.3g} times")
        + " its threshold"
    )


def _drill(mutant: Mutant, alert: str) -> str:
    was, now = mutant.was, mutant.now
    match mutant.operator.name:
        case "threshold.double" | "threshold.halve":
            return _between(mutant, alert)
        case "comparison.flip":
            return f"a drill that judges it: fires({alert}) or quiet({alert})"
        case "comparison.border":
            return "a drill in which its left side equals the threshold; if none can, both rules mean the same"
        case "for.lengthen" | "for.drop" | "keep_firing.drop":
            return _of_times(mutant, alert)
        case "range.shorten":
            return f"scrapes so slow that {now} holds fewer than two, or a fault shorter than {was}"
        case "smoothing.drop":
            return f"a fault in pulses (recurring) shorter than the range, with fires({alert})"
        case "selector.negate":
            return f"a fault that moves these series alone, with fires({alert})"
        case "selector.drop":
            return f"a fault that moves all series but these, with quiet({alert})"
        case "aggregation.drop":
            labels = was.partition("(")[2].rstrip(")")
            return f"a fault in one of several ({labels}), such as one of several replicas, with fires({alert})"
        case "matching.drop":
            return "two sides with further labels, such as a replica's; if none can be, both rules mean the same"
        case "guard.drop":
            return f"a drill in which this is not met, such as too little traffic, with quiet({alert})"
        case "absent.drop":
            return f"a drill in which the metric goes (mon.metric_renamed, mon.job_renamed), with fires({alert})"
    return f"a drill in which {'it' if mutant.original.kind == 'alert' else alert} fires, with fires({alert})"


def _between(mutant: Mutant, alert: str) -> str:
    comparison = next(op for op in (">=", "<=", "==", "!=", ">", "<") if op in mutant.was)
    low, high = (text.replace(comparison, "").strip() for text in (mutant.was, mutant.now))
    if comparison in ("==", "!="):
        return f"a drill that holds its left side at {low}, and one that holds it at {high}"
    if mutant.operator.name == "threshold.halve":
        low, high = high, low
    on_the_left = mutant.was.endswith(comparison)
    sooner = "threshold.double" if comparison.startswith("<") ^ on_the_left else "threshold.halve"
    return (
        f"a drill that drives its {'right' if on_the_left else 'left'} side to between {low} and {high}, "
        f"with {'quiet' if mutant.operator.name == sooner else 'fires'}({alert})"
    )


def _of_times(mutant: Mutant, alert: str) -> str:
    before, after = format_duration(mutant.original.for_), format_duration(mutant.rule.for_)
    if mutant.operator.name == "for.lengthen":
        return f"a fault that is over between {before} and {after}, or in pulses (recurring), with fires({alert})"
    if mutant.operator.name == "for.drop":
        return f"a blip (pulse) shorter than {before}, with quiet({alert})"
    return "none is known: no expectation fails because an alert resolves sooner"
