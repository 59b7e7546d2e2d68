"""Expectations: of series, of silence, of resolving, and of nothing at all."""

import math

from driftdrill import everything_else, exists, fires, moves, quiet, resolves, stays
from driftdrill.harness.recording.stale import STALE
from tests.truth.entry import Value, alert, born, by, flat, group, groups, jump, lie, rising, rules, until, well

HOT = rules(alert("Hot", "heat > 10"))
CALM = rules(alert("Hot", "heat > 1000"))
HEAT = {"heat": jump(1, 20)}
NAN = math.nan


def third(value: Value) -> Value:
    """There at every third scrape."""
    return lambda t: value(t) if int(t / 15) % 3 == 0 else STALE



ENTRIES = [
    # Series.
    well("a series that moves and one that stays", HOT, {**HEAT, "calm": flat(3)}, [moves("heat", above=15), stays("calm", by=0.1), exists("calm")], "FIRED"),
    well("one of two series moves", CALM, {"heat": by("f", x=jump(1, 20), y=flat(1))}, [moves("heat")], "SILENT"),
    lie("stays of two, one of which moves", CALM, {"heat": by("f", x=jump(1, 20), y=flat(1))}, [stays("heat", by=1)], "SILENT", 1, 'f="x"'),
    lie("stays of two that swap their values", CALM, {"heat": by("f", x=jump(1, 20), y=jump(20, 1))}, [stays("heat", by=1)], "SILENT", 1),
    lie("moves where two differ and neither moves", CALM, {"heat": by("f", x=flat(1), y=flat(20))}, [moves("heat")], "SILENT", 1),
    lie("moves by a series that is born in the fault", CALM, {"heat": {**by("f", x=flat(1)), (("f", "y"),): born(900, 20)}}, [moves("heat", above=15)], "SILENT", 1),
    lie("stays where one of two vanishes", CALM, {"heat": by("f", x=flat(1), y=until(900))}, [stays("heat", by=1)], "SILENT", 1, "no value in most of the fault", 'f="y"'),
    lie("stays where all vanish", CALM, {"heat": until(900)}, [stays("heat", by=1)], "SILENT", 1, "no value in most of the fault"),
    lie("stays where all are born", CALM, {"heat": born(900)}, [stays("heat", by=1)], "SILENT", 1, "no value in most of the baseline"),
    lie("stays of a series that moves and vanishes", CALM, {"heat": by("f", x=flat(1), y=until(960, jump(1, 50)))}, [stays("heat", by=1)], "SILENT", 1, "fault 1 to 50"),
    lie("stays of a series of which there is a third, and that moves", CALM, {"heat": by("f", x=flat(1), y=third(jump(1, 50)))}, [stays("heat", by=1)], "SILENT", 3, "UNPROVEN", "no value in most of the baseline or the fault"),
    well("stays of one that ended long before the fault", CALM, {"heat": by("f", x=flat(1), y=until(400))}, [stays("heat", by=1)], "SILENT"),
    lie("moves of one that vanishes", CALM, {"heat": until(900)}, [moves("heat")], "SILENT", 1, "no value in most of the fault"),
    lie("moves of one that is born", CALM, {"heat": born(900, 20)}, [moves("heat")], "SILENT", 1, "no value in most of the baseline"),
    lie("moves of a series that moves and vanishes", CALM, {"heat": by("f", x=flat(1), y=until(960, jump(1, 50)))}, [moves("heat")], "SILENT", 3, "fault 1 to 50"),
    lie("moves of a series of which there is a third", CALM, {"heat": by("f", x=flat(1), y=third(jump(1, 50)))}, [moves("heat")], "SILENT", 3),
    well("moves from one infinity to the other", CALM, {"heat": jump(-math.inf, 20)}, [moves("heat")], "SILENT"),
    lie("stays where one is born", CALM, {"heat": {**by("f", x=flat(1)), (("f", "y"),): born(900)}}, [stays("heat", by=1)], "SILENT", 1, "no value in most of the baseline"),
    lie("stays of what is not there", CALM, HEAT, [stays("haet", by=1)], "SILENT", 3, "no value"),
    lie("moves of what is not there", CALM, HEAT, [moves("haet")], "SILENT", 3, "no value"),
    lie("exists of what is not there", CALM, HEAT, [exists("haet")], "SILENT", 1, "no value"),
    lie("stays of NaN in the fault", CALM, {"heat": jump(1, NAN)}, [stays("heat", by=1)], "SILENT", 1),
    lie("moves to NaN", CALM, {"heat": jump(1, NAN)}, [moves("heat")], "SILENT", 1),
    lie("exists of NaN", CALM, {"heat": flat(NAN)}, [exists("heat")], "SILENT", 1),
    lie("stays where a value is there at two scrapes of the fault", CALM, {"heat": {(("f", "x"),): lambda t: 1.0 if t < 900 else 1.0 if t < 930 else None, (("f", "y"),): flat(1)}}, [stays("heat", by=1)], "SILENT", 1),
    lie("stays of an expression that cannot be evaluated", CALM, {**HEAT, "side": by("s", a=flat(1), b=flat(1))}, [stays("heat * on () side", by=1)], "SILENT", 3, "cannot be evaluated"),
    lie("moves of an expression that cannot be evaluated", CALM, {**HEAT, "side": by("s", a=flat(1), b=flat(1))}, [moves("heat * on () side")], "SILENT", 3, "cannot be evaluated"),
    lie("exists of an expression that cannot be evaluated", CALM, {**HEAT, "side": by("s", a=flat(1), b=flat(1))}, [exists("heat * on () side")], "SILENT", 3, "many-to-many"),
    lie("moves in the wrong direction", CALM, HEAT, [moves("heat", below=0.5)], "SILENT", 1),
    lie("moves above a value that the baseline had", CALM, {"heat": jump(5, 20)}, [moves("heat", above=4)], "SILENT", 1),
    lie("moves in recovery only", CALM, {"heat": jump(1, 20, at=1850, back=2700)}, [moves("heat")], "SILENT", 1),
    # Quiet.
    lie("everything else is what no labels select: the ticket", rules(alert("X", "heat > 10", labels={"severity": "page"}), alert("X", "heat > 5", labels={"severity": "ticket"})), HEAT, [fires("X", labels={"severity": "page"}), quiet(everything_else)], "FIRED FIRED", 1, 'X FIRED at 15m15s with {instance="i", job="m", severity="ticket"}'),
    lie("everything else is what no labels select: the other series", HOT, {"heat": by("f", x=jump(1, 20), y=jump(1, 20))}, [fires("Hot", labels={"f": "x"}), quiet(everything_else)], "FIRED", 1, 'Hot FIRED at 15m15s with {f="y", instance="i", job="m"}'),
    lie("everything else, beside a quiet page", rules(alert("X", "heat > 99", labels={"severity": "page"}), alert("X", "heat > 5", labels={"severity": "ticket"})), HEAT, [quiet("X", labels={"severity": "page"}), quiet(everything_else)], "SILENT FIRED", 1),
    well("everything else, where labels select all that fires", rules(alert("X", "heat > 10", labels={"severity": "page"}), alert("X", "heat > 50", labels={"severity": "ticket"})), {"heat": by("f", x=jump(1, 20), y=flat(1))}, [fires("X", labels={"f": "x"}), quiet(everything_else)], "FIRED SILENT"),
    well("quiet of an alert that works", CALM, HEAT, [quiet("Hot")], "SILENT"),
    lie("quiet of what fires", HOT, HEAT, [quiet("Hot")], "FIRED", 1),
    lie("quiet of what fires in the baseline", HOT, {"heat": jump(1, 20, at=400, back=500)}, [quiet("Hot")], "FALSE_ALARM", 1),
    lie("quiet of what fires in recovery", HOT, {"heat": jump(1, 20, at=2400, back=2500)}, [quiet("Hot")], "FALSE_ALARM", 1),
    lie("quiet of what reads a metric that no scrape had", rules(alert("Hot", "haet > 10")), {"heat": flat(1)}, [quiet("Hot")], "SILENT", 3, "could not have fired", "did you mean heat?"),
    lie("quiet of what is NaN all through", HOT, {"heat": flat(NAN)}, [quiet("Hot")], "SILENT", 3, "could not have fired"),
    lie("quiet of sides that never join", rules(alert("Hot", "heat / cold > 1")), {"heat": by("f", x=flat(5)), "cold": by("g", y=flat(1))}, [quiet("Hot")], "SILENT", 3, "could not have fired"),
    lie("quiet of a percentage of a ratio", rules(alert("Hot", "error_ratio > 5")), {"error_ratio": flat(0.01)}, [quiet("Hot")], "SILENT", 3),
    well("quiet of errors that a healthy service has not yet", rules(alert("E", 'sum(rate(req_total{status=~"5.."}[5m])) > 1')), {"req_total": by("status", **{"200": rising()})}, [quiet("E")], "SILENT"),
    well("quiet of absence", rules(alert("Gone", "absent(heat)")), HEAT, [quiet("Gone")], "SILENT"),
    well("quiet of what was up", rules(alert("Down", "up == 0")), HEAT, [quiet("Down")], "SILENT"),
    lie("quiet of everything else, one of which fires", rules(alert("Hot", "heat > 10"), alert("Warm", "heat > 5")), HEAT, [fires("Hot"), quiet(everything_else)], "FIRED FIRED", 1, "Warm FIRED"),
    lie("quiet of everything else, and all of it is not judged", rules(alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [quiet(everything_else)], "NOT_JUDGED", 3, "none was judged"),
    lie("quiet of everything else names what was not judged", rules(alert("Hot", "heat > 1000"), alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [quiet(everything_else)], "SILENT NOT_JUDGED", 0),
    well("everything else is nothing, where labels select a rule whole", rules(alert("X", "heat > 10", labels={"s": "a"})), HEAT, [fires("X", labels={"s": "a"}), quiet(everything_else)], "FIRED"),
    lie("everything else is judged, beside a page that is not", rules(alert("X", "heat > 10"), alert("Long", "avg_over_time(heat[2h]) > 1", labels={"s": "a"})), HEAT, [fires("X"), quiet("Long", labels={"s": "a"}), quiet(everything_else)], "FIRED NOT_JUDGED", 3, never=("none was judged",)),
    lie("quiet of what was not judged", rules(alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [quiet("Long")], "NOT_JUDGED", 3, "UNPROVEN"),
    # Edges of time.
    well("it fired in warm-up, and was calm before the baseline", HOT, {"heat": jump(1, 20, at=100, back=285)}, [quiet("Hot")], "SILENT"),
    lie("it fired from warm-up into the baseline", HOT, {"heat": jump(1, 20, at=100, back=300)}, [quiet("Hot")], "FALSE_ALARM", 1),
    well("within, to the very tick", HOT, HEAT, [fires("Hot", within=15)], "FIRED"),
    lie("within, a millisecond less", HOT, HEAT, [fires("Hot", within=14.999)], "LATE", 1, "1ms too late"),
    lie("above for `for` less one evaluation", rules(alert("Hot", "heat > 10", for_="30s")), {"heat": jump(1, 20, back=930)}, [fires("Hot")], "SILENT", 1, "15s too short"),
    well("above for `for` to the very evaluation", rules(alert("Hot", "heat > 10", for_="30s")), {"heat": jump(1, 20, back=945)}, [fires("Hot")], "FIRED"),
    lie("`for` a second above two evaluations", rules(alert("Hot", "heat > 10", for_="31s")), {"heat": jump(1, 20, back=945)}, [fires("Hot")], "SILENT", 1, "1s too short"),
    well("an evaluation interval that does not divide the scrapes'", HOT, HEAT, [fires("Hot"), resolves("Hot"), moves("heat"), stays("model_loaded", by=0)], "FIRED", how={"interval": 7.0}),
    well("phases that are no multiple of any interval", HOT, HEAT, [fires("Hot", within=20), resolves("Hot")], "FIRED", how={"meta": {"phases": [("warm_up", 0.0, 301.5), ("baseline", 301.5, 899.2), ("fault", 899.2, 1800.3), ("recovery", 1800.3, 2699.9)]}}),
    lie("a recording that is cut off", HOT, HEAT, [fires("Hot")], "FIRED", 3, "it was killed", how={"end": False}),
    # Labels and names.
    lie("quiet of those without a label, one of which fires", HOT, HEAT, [quiet("Hot", labels={"severity": ""})], "FIRED", 1),
    well("fires on the one without a label", HOT, {"heat": {(): jump(1, 20), (("p", "z"),): flat(1)}}, [fires("Hot", labels={"p": ""}), quiet("Hot", labels={"p": "z"}), resolves("Hot", labels={"p": ""})], "FIRED"),
    lie("a label value is no pattern", HOT, {"heat": by("p", ab=jump(1, 20))}, [fires("Hot", labels={"p": "a.*"})], "FIRED", 1, 'none with {p="a.*"}'),
    well("le on a gauge", HOT, {"heat": by("le", **{"1": flat(1), "+Inf": jump(1, 20)})}, [fires("Hot", labels={"le": "+Inf"}), quiet("Hot", labels={"le": "1"})], "FIRED", exported=True),
    lie("a name in another case", HOT, HEAT, [fires("hot")], "FIRED", 3, "did you mean Hot?"),
    lie("quiet of a name with a letter too many", HOT, HEAT, [quiet("Hott"), fires("Hot")], "FIRED", 3, "did you mean Hot?"),
    lie("stays of a text", HOT, HEAT, [stays('"a"', by=0)], "FIRED", 3, "not a vector or scalar"),
    lie("stays of a range", HOT, HEAT, [stays("heat[5m]", by=0)], "FIRED", 3, "not a vector or scalar"),
    lie("stays of what is not PromQL", HOT, HEAT, [stays("heat[", by=0)], "FIRED", 3, "cannot be evaluated"),
    well("moves of a number and of a comment", HOT, HEAT, [moves("scalar(heat)"), moves("heat # degrees"), moves("heat\n+ 0"), exists('heat{job!="# 0@0"}')], "FIRED"),
    lie("an expectation does not see a mark of ours", rules(alert("Hot", "heat > 10"), alert("Hot", "heat > 12")), HEAT, [fires("Hot"), exists('ALERTS{driftdrill_rule!=""}')], "FIRED FIRED", 1, "no value"),
    lie("NaN where a number was", HOT, {"heat": jump(1, NAN)}, [fires("Hot")], "SILENT", 1, why="nan"),
    lie("absence of what is NaN", rules(alert("Hot", "absent(heat)")), {"heat": jump(1, NAN)}, [fires("Hot")], "SILENT", 1),
    well("what is not equal to itself", rules(alert("Hot", "heat unless heat == heat")), {"heat": jump(1, NAN)}, [fires("Hot")], "FIRED"),
    # Fires.
    well("fires in time", HOT, HEAT, [fires("Hot", within=60)], "FIRED"),
    lie("fires too late", rules(alert("Hot", "heat > 10", for_="5m")), HEAT, [fires("Hot", within=60)], "LATE", 1),
    lie("fires after the fault", HOT, {"heat": jump(1, 20, at=1795, back=2000)}, [fires("Hot")], "LATE", 1),
    lie("fires before the fault", HOT, {"heat": jump(1, 20, at=600)}, [fires("Hot")], "FALSE_ALARM", 3, "was firing in the baseline"),
    lie("is pending before the fault", rules(alert("Hot", "heat > 10", for_="5m")), {"heat": jump(1, 20, at=850)}, [fires("Hot")], "FIRED", 3, "was pending when the fault began"),
    lie("never fires", CALM, HEAT, [fires("Hot")], "SILENT", 1, "peaked at 2% of its threshold"),
    lie("is above for less than `for`", rules(alert("Hot", "heat > 10", for_="5m")), {"heat": jump(1, 20, at=900, back=1100)}, [fires("Hot")], "SILENT", 1, "too short for `for: 5m`"),
    lie("fires of what was not judged", rules(alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [fires("Long")], "NOT_JUDGED", 3, "look-back"),
    lie("one is refuted and one is not judged", rules(alert("Hot", "heat > 1000"), alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [fires("Hot"), fires("Long")], "SILENT NOT_JUDGED", 1),
    # Resolves.
    well("fires and resolves", HOT, HEAT, [fires("Hot"), resolves("Hot", within=60)], "FIRED"),
    lie("does not resolve", HOT, {"heat": jump(1, 20, back=9e9)}, [resolves("Hot")], "UNRESOLVED", 1),
    lie("resolves too late", rules(alert("Hot", "heat > 10", keep_firing_for="5m")), HEAT, [resolves("Hot", within=60)], "FIRED", 1),
    lie("resolves of what never fired", CALM, HEAT, [resolves("Hot")], "SILENT", 1, "never fired"),
    lie("resolves because its own timestamps stand still", HOT, {"heat": lambda t: None if t >= 1700 else jump(1, 20)(t)}, [fires("Hot"), resolves("Hot")], "NOT_JUDGED", 3, "timestamps of their own", events=[{"event": "timestamps_refused", "target": {"job": "m", "instance": "i"}, "names": ["heat"]}]),
    lie("resolves because its series ended without a stale marker", HOT, {"heat": lambda t: None if t >= 1700 else jump(1, 20)(t)}, [fires("Hot"), resolves("Hot")], "FIRED", 1, "its series vanished", never=("timestamps",)),
    lie("resolves because its series vanished", HOT, {"heat": until(1700, jump(1, 20))}, [resolves("Hot")], "FIRED", 1, "its series vanished"),
    lie("resolves of two, one of which vanished long before", HOT, {"heat": by("f", x=until(1200, jump(1, 20)), y=jump(1, 20))}, [fires("Hot"), resolves("Hot")], "FIRED", 1, 'it {f="x", instance="i", job="m"} resolved because its series vanished'),
    lie("resolves because its series was away, and came back calm", HOT, {"heat": lambda t: until(1700, jump(1, 20))(t) if t < 2300 else 1.0}, [fires("Hot"), resolves("Hot", within=60)], "FIRED", 1, "its series vanished"),
    lie("resolves of what its keep_firing_for gave no time", rules(alert("Hot", "heat > 10", keep_firing_for="15m")), HEAT, [fires("Hot"), resolves("Hot")], "FIRED", 3, "shorter than the 15m30s"),
    lie("it fires again in recovery, to the end", HOT, {"heat": lambda t: 20.0 if 900 <= t < 1800 or t > 2500 else 1.0}, [fires("Hot"), resolves("Hot")], "UNRESOLVED", 1),
    well("it fires again in recovery, and resolves", HOT, {"heat": lambda t: 20.0 if 900 <= t < 1800 or 2300 < t < 2400 else 1.0}, [fires("Hot"), resolves("Hot")], "FIRED"),
    well("absence resolves when the series is back", rules(alert("Gone", "absent(heat)")), {"heat": lambda t: until(900)(t) if t < 1800 else 1.0}, [fires("Gone"), resolves("Gone")], "FIRED"),
    lie("resolves of what was not judged", rules(alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [resolves("Long")], "NOT_JUDGED", 3),
    # Nothing.
    lie("nothing is asserted", HOT, HEAT, [], "FIRED", 3, "Nothing was asserted"),
    lie("nothing is asserted, and nothing fires", CALM, HEAT, [], "SILENT", 3, "Nothing was asserted"),
    lie("nothing is asserted, but no silent failure is wanted", CALM, HEAT, [], "SILENT", 1, "SILENT FAILURE", harm="HARMFUL", how={"accuracy": (0.95, 0.5)}, judged={"fail_on": ["silent_failure"]}),
    lie("nothing is judged, so that nothing failed silently", rules(alert("Long", "avg_over_time(heat[2h]) > 10")), HEAT, [], "NOT_JUDGED", 3, harm="HARMFUL", how={"accuracy": (0.95, 0.5)}, never=("SILENT FAILURE",)),
    lie("a watchdog is listed and proves nothing", groups(group(alert("Watchdog", "vector(1)"))), HEAT, [], "", 3, "fires always by design"),
]
