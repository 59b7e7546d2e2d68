"""Of rules that wait for others, join, aggregate or compare in vain: what is told of each, and their healthy twins."""

from driftdrill.reports.data.timeline import Track
from tests.harness.judge.by_hand import track
from tests.harness.judge.why.seen import SCRAPES, series
from tests.harness.judge.why.told import Told, rising


def during(start: float, end: float, value: float = 1.0) -> tuple[Track, ...]:
    """One series of a side of an operator, there between two moments."""
    times = tuple(t for t in SCRAPES if start <= t < end)
    return (Track("", "", times, (value,) * len(times), {"job": "m", "instance": "i"}),)


REPLICAS = [series("bad", lambda t, i=i: float(i == 9 and 900 <= t < 1800), replica=str(i)) for i in range(10)]
FIRING = track("A", (0.0, 2700.0, "firing"))
ALWAYS_OPEN = {"x > 5": (), "open == 1": during(0, 2700)}
BS = track("B", (900.0, 1800.0, "firing"))
WAITS = "alert: B\n    expr: x > 5"
EITHER = "record: a\n    expr: x\n  - record: a\n    expr: gone"
GUARDED = "x > 5 unless on () maintenance == 1"
PAIRED = "x > 5 and on () open == 1"

TRAPS = [
    Told("contradiction", "x > 10 and x < 5", [series("x")], "`x > 10` and `x < 5` exclude each other", "`or`", True),
    Told("contradiction", "x > 5 unless x > 4", [series("x")], "whatever `x > 5` has is taken away", "", True),
    Told("contradiction", "rate(x_total[5m]) < 0", [series("x_total", rising)], "is at least 0", "", True),
    Told("contradiction", "x / x > 1", [series("x")], "both sides of `x / x` are the same series", "", True),
    Told("no_such_alert", 'ALERTS{alertname="Nope"} == 1', [series("x")], "there is no other", "--rules", True),
    Told("no_such_alert", 'ALERTS{alertstate="fireing"}', [series("x")], "pending or firing", "", True),
    Told("no_such_alert", 'ALERTS{alertname="b"}', [series("x")], "they are called B", "mean B", True, records=WAITS),
    Told("no_such_alert", 'ALERTS_FOR_STATE{alertstate="firing"}', [series("x")], "has no alertstate", "ALERTS", True),
    Told(
        "no_such_alert",
        'ALERTS{alertname="B", alertstate="pending"}',
        [series("x")],
        "B has no `for`, and is never pending",
        "firing",
        True,
        records=WAITS,
    ),
    Told(
        "no_such_alert",
        'count(ALERTS{severity="page"}) > 0',
        [series("x")],
        "severity was warn",
        "",
        True,
        records=WAITS + "\n    labels: {severity: warn}",
    ),
    Told(
        "awaits_silent_alert",
        'ALERTS{alertname="B"} == 1',
        [series("x")],
        "it waits for B (rules.yml:4)",
        "",
        records=WAITS,
    ),
    Told(
        "suppressed",
        GUARDED,
        [series("x", 9.0), series("maintenance")],
        "`x > 5` was true from 15m7s to 29m52s and would have fired, but `maintenance == 1` was there from 7s to",
        "silent(...)",
        more={"left": {"x > 5": during(900, 1790, 9.0), "maintenance == 1": during(0, 2700)}},
    ),
    Told(
        "suppressed",
        PAIRED,
        [series("x", 9.0), series("open", 0.0)],
        'never was in the fault (open{instance="i", job="m"} was 0): `and` asks for both',
        more={"left": {"x > 5": during(900, 1790, 9.0), "open == 1": ()}},
    ),
    Told(
        "suppressed",
        PAIRED,
        [series("x", 9.0), series("open", 0.0)],
        "never both for as long as it takes",
        more={"left": {"x > 5": during(900, 1200, 9.0), "open == 1": during(1300, 1800)}},
    ),
    Told("averaged_away", "avg(bad) > 0.5", REPLICAS, "1 of the 10 series that `avg(bad)` makes one", "max(...)"),
    Told(
        "averaged_away",
        "min_over_time(x[14m]) > 10",
        [series("x", lambda t: 20.0 if 900 <= t < 1200 else 1.0)],
        "was > 10 from 15m7s to 19m52s, and its range is 14m",
        "max_over_time",
    ),
    Told(
        "scalar_of_several",
        "x > scalar(top)",
        [series("x"), series("top", f="a"), series("top", f="b")],
        '`scalar(top)` is NaN: `top` has 2 series, such as f="a" and f="b"',
        "exactly one",
        True,
    ),
    Told("equal_to_float", "x == 0.3", [series("x", 0.1 + 0.2)], "0.3 to twelve digits", "margin", left=0.3),
    Told(
        "absent_of_nothing",
        'absent(x{env="production"})',
        [series("x", env="prod")],
        "true from the start on; env was prod",
        cannot_fire=True,
        fired=True,
        more={"tracks": (FIRING,)},
    ),
    Told(
        "absent_of_nothing",
        'absent(up{job="modle"})',
        [series("up")],
        "of a target that was not drilled; job was m",
        cannot_fire=True,
    ),
    Told(
        "always_true",
        "x > bool 50",
        [series("x")],
        "answers 0 or 1, and an alert fires with 0 as well",
        "leave `bool` out",
        fired=True,
        more={"tracks": (FIRING,)},
    ),
    Told(
        "always_true",
        "x / x > 0.05",
        [series("x")],
        "are the same series, so that it is 1",
        fired=True,
        more={"tracks": (FIRING,)},
    ),
    Told(
        "nothing_matches", 'x{pod=~"model-"} > 5', [series("x", pod="model-7f")], "pod was model-7f", 'pod=~"model-.*"'
    ),
    Told("nothing_matches", 'x{env=~"prod | dev"} > 5', [series("x", env="prod")], "env was prod", '"prod|dev"'),
    Told(
        "nothing_matches",
        'r{status="500"} > 5',
        [series("x", status="500")],
        "no r has the label status; it has job",
        "r (rules.yml:4) drops it",
        True,
        records="record: r\n    expr: sum by (job) (x)",
    ),
    Told("no_such_metric", "(sum(nope) or vector(0)) > 1", [series("x")], "no scrape had nope", "", True),
    Told("no_such_metric", "a > 5", [series("x")], "no scrape had gone (read by a, rules.yml:6)", records=EITHER),
]

HEALTHY = [
    Told("contradiction", "x > 5 or x < 3", [series("x")]),
    Told("contradiction", "x > 5 and on (job) x < 3", [series("x")]),
    Told(
        "no_such_alert",
        'ALERTS{alertname="B"} == 1',
        [series("x")],
        records=WAITS,
        more={"tracks": (track("B", (900.0, 1800.0, "firing")),)},
    ),
    Told("awaits_silent_alert", 'x > 5 unless on (job) ALERTS{alertname="B"}', [series("x")], records=WAITS),
    Told("suppressed", PAIRED, [series("x"), series("open", 0.0)], more={"left": {"x > 5": (), "open == 1": ()}}),
    Told(
        "suppressed", PAIRED, [series("x"), series("open")], more={"left": {"x > 5": (), "open == 1": during(0, 2700)}}
    ),
    Told("averaged_away", "avg(bad) > 0.5", [series("bad", replica=str(i)) for i in range(3)]),
    Told("averaged_away", "max(bad) > 5", REPLICAS),
    Told("scalar_of_several", "x > scalar(top)", [series("x"), series("top")]),
    Told("equal_to_float", "x == 0.3", [series("x", 0.2)], left=0.2),
    Told("absent_of_nothing", "x > 5 and on () absent(maintenance)", [series("x")]),
    Told("absent_of_nothing", "absent(x)", [series("x")]),
    Told("always_true", "up >= 0", [series("up")], fired=True),
    Told("always_true", "count(up == 0) > 0", [series("up")], fired=True, more={"tracks": (FIRING,)}),
]
