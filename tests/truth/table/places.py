"""A rule is its place in the file, not its name; and whose alert it is that fired."""

from driftdrill import everything_else, fires, quiet, resolves
from tests.truth.entry import alert, by, flat, group, groups, jump, lie, record, rules, well

HOT = {"heat": jump(1, 20)}
PAGE = alert("Burn", "heat > 100", labels={"severity": "page"})
TICKET = alert("Burn", "heat > 10", labels={"severity": "ticket"})
SLO = rules(PAGE, TICKET)
WARN = rules(alert("PriceDrift", "heat > 10", labels={"severity": "warn"}))
OTHER_JOB = {(("job", "other"),): jump(1, 20)}
OTHER_INSTANCE = {(("instance", "j"),): jump(1, 20)}
TWO_TARGETS = {"targets": [{"job": "m", "instance": "i"}, {"job": "m", "instance": "j"}]}

ENTRIES = [
    # Two rules of one name.
    well("the ticket fires and the page does not", SLO, HOT, [fires("Burn", labels={"severity": "ticket"})], "SILENT FIRED"),
    well("either of them will do", SLO, HOT, [fires("Burn")], "SILENT FIRED"),
    well("the page stays quiet", SLO, HOT, [quiet("Burn", labels={"severity": "page"})], "SILENT FIRED"),
    lie("the page is expected and only the ticket fires", SLO, HOT, [fires("Burn", labels={"severity": "page"})], "SILENT FIRED", 1, 'fired with {instance="i", job="m", severity="ticket"}'),
    lie("quiet by name, where one of two fires", SLO, HOT, [quiet("Burn")], "SILENT FIRED", 1),
    lie("quiet of the ticket that fires", SLO, HOT, [quiet("Burn", labels={"severity": "ticket"})], "SILENT FIRED", 1),
    lie("two rules of one name and the same labels", rules(alert("Hot", "heat > 100"), alert("Hot", "heat > 10")), HOT, [fires("Hot")], "SILENT FIRED", 0),
    lie("the same in two files' groups", groups(group(alert("Hot", "heat > 10")), group(alert("Hot", "heat > 100"), name="h")), HOT, [fires("Hot")], "FIRED SILENT", 0),
    lie("the same at two intervals", groups(group(alert("Hot", "heat > 10"), interval="1m"), group(alert("Hot", "heat > 100"), name="h")), HOT, [fires("Hot", within=75)], "FIRED SILENT", 0),
    lie("two of one name beside a rule that reads ALERTS", rules(alert("Hot", "heat > 100"), alert("Hot", "heat > 10", labels={"s": "t"}), alert("Any", 'ALERTS{alertname="Hot"} == 1')), HOT, [fires("Any"), fires("Hot", labels={"s": "t"})], "SILENT FIRED FIRED", 0),
    lie("two of one name with `for`, one too long", rules(alert("Hot", "heat > 10", for_="10m", labels={"s": "p"}), alert("Hot", "heat > 10", for_="1m", labels={"s": "t"})), {"heat": jump(1, 20, back=1200)}, [fires("Hot", labels={"s": "p"})], "SILENT FIRED", 1),
    lie("a third one errors", rules(alert("Hot", "heat > 100"), alert("Hot", "heat * on () side > 0"), alert("Hot", "heat > 10")), {**HOT, "side": by("s", a=flat(1), b=flat(1))}, [fires("Hot")], "SILENT SILENT FIRED", 1, "many-to-many"),
    # Labels that a rule has not.
    lie("a label that the rule sets otherwise", WARN, HOT, [fires("PriceDrift", labels={"severity": "page"})], "FIRED", 1, 'fired with {instance="i", job="m", severity="warn"}, none with {severity="page"}', never=("SILENT FAILURE", "blind")),
    lie("quiet of a label that the rule sets otherwise", WARN, HOT, [quiet("PriceDrift", labels={"severity": "page"})], "FIRED", 3, "UNPROVEN"),
    lie("resolves of a label that the rule sets otherwise", WARN, HOT, [resolves("PriceDrift", labels={"severity": "page"})], "FIRED", 3),
    lie("a label name that nothing has", rules(alert("D", "heat > 10")), {"heat": by("feature", x=jump(1, 20))}, [fires("D", labels={"featur": "x"})], "FIRED", 1, 'fired with {feature="x"'),
    lie("a label value that nothing has", rules(alert("D", "heat > 10")), {"heat": by("feature", x=jump(1, 20))}, [fires("D", labels={"feature": "y"})], "FIRED", 1, 'fired with {feature="x"'),
    lie("quiet of a label that nothing has", rules(alert("D", "heat > 10")), {"heat": by("feature", x=jump(1, 20))}, [quiet("D", labels={"featur": "x"})], "FIRED", 3),
    lie("a label that the aggregation drops", rules(alert("D", "max(heat) > 10")), {"heat": by("feature", x=jump(1, 20))}, [fires("D", labels={"feature": "x"})], "FIRED", 1, "fired with no labels"),
    well("a label that a template makes", rules(alert("D", "heat > 10", labels={"of": "{{ $labels.feature }}!"})), {"heat": by("feature", x=jump(1, 20))}, [fires("D", labels={"of": "x!"})], "FIRED"),
    well("a label that label_replace makes", rules(alert("D", 'label_replace(heat, "of", "$1", "feature", "(.*)") > 10')), {"heat": by("feature", x=jump(1, 20))}, [fires("D", labels={"of": "x"})], "FIRED"),
    well("a label that a recording rule sets", rules(record("r", "heat", labels={"tier": "gold"}), alert("D", "r > 10")), HOT, [fires("D", labels={"tier": "gold"})], "FIRED"),
    well("an alert nobody has, and nobody asks for", rules(alert("D", "heat > 10"), alert("E", "heat > 99")), HOT, [fires("D"), quiet(everything_else)], "FIRED SILENT"),
    lie("an alert that no rule has", rules(alert("D", "heat > 10")), HOT, [fires("Drift")], "FIRED", 3, "no rule of this name"),
    lie("quiet of an alert that no rule has", rules(alert("D", "heat > 99")), HOT, [quiet("Drift")], "SILENT", 3, "no rule of this name"),
    lie("one of two series fires, the other is asked for", rules(alert("D", "heat > 10")), {"heat": by("f", x=jump(1, 20), y=flat(1))}, [fires("D", labels={"f": "y"})], "FIRED", 1),
    well("one of two series fires, and it is asked for", rules(alert("D", "heat > 10")), {"heat": by("f", x=jump(1, 20), y=flat(1))}, [fires("D", labels={"f": "x"}), quiet("D", labels={"f": "y"})], "FIRED"),
    # Whose alert.
    lie("the alert of another job", rules(alert("Hot", "heat > 10")), {"heat": OTHER_JOB}, [fires("Hot")], "SILENT", 1, 'job="other", which was not drilled'),
    lie("the alert of another instance", rules(alert("Hot", "heat > 10")), {"heat": OTHER_INSTANCE}, [fires("Hot")], "SILENT", 1, 'instance="j"'),
    lie("another job's alert beside a calm one of ours", rules(alert("Hot", "heat > 10")), {"heat": {**OTHER_JOB, (): flat(1)}}, [fires("Hot")], "SILENT", 1, "which was not drilled"),
    lie("another job's alert in the baseline is none of ours", rules(alert("Hot", "heat > 10")), {"heat": {(("job", "other"),): flat(20), (): jump(1, 20)}}, [fires("Hot")], "FIRED", 0),
    well("quiet, while another job is hot", rules(alert("Hot", "heat > 10")), {"heat": {**OTHER_JOB, (): flat(1)}}, [quiet("Hot")], "SILENT", "which was not drilled"),
    well("the second of two drilled instances", rules(alert("Hot", "heat > 10")), {"heat": OTHER_INSTANCE, "up": {(("instance", "j"),): flat(1), (): flat(1)}}, [fires("Hot")], "FIRED", how={"meta": TWO_TARGETS}),
    well("an aggregate without job and instance", rules(alert("Hot", "max(heat) > 10")), HOT, [fires("Hot")], "FIRED"),
    well("a job that a rule writes anew", rules(alert("Hot", "max(heat) > 10", labels={"job": "slo"})), HOT, [fires("Hot")], "FIRED", 'job="slo"'),
    well("a page that keeps its own labels", rules(alert("Hot", "heat > 10")), {"heat": OTHER_JOB}, [fires("Hot")], "FIRED", how={"meta": {"keeps_labels": True}}),
    well("the instances that fired are named", rules(alert("D", "heat > 10")), {"heat": by("f", x=jump(1, 20), y=jump(1, 20), z=flat(1))}, [fires("D")], "FIRED", 'f="x"', 'f="y"'),
]
