"""Pages of faults of monitoring itself: pages, scrape jobs, rules, and what carries an alert to people."""

from docs.faults.entry import Entry

DOWN = 'up{job="model"} == 0'
EXAMPLE = "docs/example/recordings/*.drill --rules 'docs/example/rules/*.yml'"
"""What a mutation of the demo's rules is tried on: the two recorded hours of the example."""
SILENT_WITH_IT = (
    "Nothing that the service or its clients see changes: status codes, latency and predictions are as before."
)
RULES_SILENT = (
    "Nobody, until the incident that the rule was written for: `promtool check rules` accepts the file, and a rule "
    "that does not fire looks like a service that is well."
)

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "mon.absent_missing",
        life="An alert on a threshold is there, and the one on `absent()` beside it was never written, or was deleted "
        "as noise. Then the metric goes (renamed, dropped, its target lost). A comparison with nothing has no result, "
        "and nothing fires.",
        how="",
        example="```console\n$ driftdrill mutate " + EXAMPLE + " \\\n    --only ModelMetricsAbsent --operator "
        "mon.absent_missing\n```\n\n"
        '`absent(model_predictions_total{job="model"})` becomes an expression without a value. It survives: in neither '
        "of the two recorded hours does a metric go. `driftdrill demo --only trap_metric_renamed` records a drill in "
        "which one does; under its own rules it kills the same mutant of `PredictionsAbsent`.",
        seen=RULES_SILENT,
        rule='absent(model_predictions_total{job="model"})',
        note="Not every metric needs an `absent()`. Each job needs one, and so does each metric that a whole group of "
        "rules reads: of the demo's rules, [renaming `http_requests_total`](mon.metric_renamed.md) is noticed by none. "
        "`absent()` keeps the labels of its selector only; one series of many that goes is no absence.",
        clock="",
    ),
    Entry(
        "mon.bad_exposition",
        life="A proxy cuts a long page, a log line is printed into it, an exporter written by hand forgets to escape a "
        "quote or names a type that does not exist. Prometheus refuses such a page as a whole.",
        how="Truncate()",
        seen="The scrape fails and `up` is 0. Nothing of that page is stored, not the healthy lines either. Rules on "
        "the model's metrics soon have nothing to read and stay silent. Series that the page shows before the spoiled "
        "line get no stale marker (Prometheus had already seen them), and count for up to five minutes more: with "
        "`Corrupt` on the page's last metric ModelMetricsAbsent fires after 10 minutes, not after 5. Load, canary and "
        "clients see nothing: the service answers as before.",
        rule=DOWN,
        note="Strength is the share of scrapes that are hit; at 0.2 they hardly ever fail for a minute on end, and "
        "`for: 1m` sleeps: count with `avg_over_time(up[10m]) < 0.9`. `Corrupt()` spoils one line, `WrongMetricType()` "
        "declares a type that does not exist: both fail the page as well. Two do not, and no alert of the demo fires: "
        '`WrongMetricType(metric="model_predictions_total", to="gauge")` only misleads whoever reads metadata, and of '
        "`DuplicateLines()` Prometheus keeps the first line, and counts the other in "
        "`prometheus_target_scrapes_sample_duplicate_timestamp_total`.",
    ),
    Entry(
        "mon.bucket_coverage",
        life="Buckets are cut to save series, or were chosen for a service that was faster. What is slower than the "
        "top bucket falls into `+Inf`, and `histogram_quantile` answers the top bucket's edge for all of it.",
        how='BucketCoverage(metric="http_request_duration_seconds", top=0.1)',
        seen="Nobody while the service is fast. The demo's HighLatency asks whether the 95th percentile is above 0.25 "
        "s; with a top bucket of 0.1 s it is never above 0.1, however slow the service is: the alert is dead. A "
        "client that measures by itself sees the truth.",
        rule="1 -\n"
        "  max by (job) (\n"
        '    sum by (job, le) (rate(http_request_duration_seconds_bucket{handler="/predict", le!="+Inf"}[5m]))\n'
        "  )\n"
        "    / on (job)\n"
        '  sum by (job) (rate(http_request_duration_seconds_count{handler="/predict"}[5m]))\n'
        "> 0.01",
        note="The rule fires when more than 1 % of the requests are slower than the top bucket, wherever that is. The "
        "fault is only half of the incident: the service must also become slow. `driftdrill demo --only "
        "trap_latency_above_buckets` does both ([traps](../traps.md)). A threshold must be the edge of a bucket: "
        "between two edges the quantile is interpolated.",
    ),
    Entry(
        "mon.cardinality",
        life="Somebody puts a user id, a request id or a path with an id in it into a label. Each value is a series "
        "of its own, which Prometheus keeps in memory for hours. Or there is a `sample_limit`, and one scrape too "
        "many fails the whole page.",
        how='ExplodeCardinality(metric="http_requests_total", series=100)',
        seen="Prometheus, in its memory, and in the metrics that it adds to each scrape: `scrape_samples_scraped` and "
        "`scrape_series_added`. Alerts see nothing: a series that is scraped once has no rate, and adds nothing to a "
        "sum of rates. Clients and canary see nothing.",
        rule='sum_over_time(scrape_series_added{job="model"}[15m]) > 1000',
        note="The second half is `SampleLimit(samples=150)`: the demo's page has some 180 samples, each scrape fails, "
        "and ModelDown fires after 75 s. `prometheus_target_scrapes_exceeded_sample_limit_total` says why. Strength "
        "scales the number of series. They are recorded and judged as well: 1,000 at each scrape make this drill take "
        "five minutes in place of nine seconds. Expressions over the metric become heavy, too: promtool, which takes "
        "10,000 samples in one query, cannot evaluate `resets(http_requests_total[15m])` of this drill, and the "
        "verdict says so.",
    ),
    Entry(
        "mon.counter_born",
        life="A client library exposes a labelled counter from its first increment on. The series is born with the "
        "value 1, and `increase()` needs two samples: the first error, or the first burst within a scrape, is none.",
        how='HideZeros(metric="http_requests_total")',
        seen="Nobody: until the first refusal there is no series, after it there is a series that does not grow. An "
        "alert on `increase(...) > 0` of a rare event (a crash, a refused row, a failed payment) misses exactly the "
        "first one. The client that was refused knows.",
        rule='increase(http_requests_total{status="422"}[5m]) > 0\n'
        "or\n"
        'http_requests_total{status="422"} unless http_requests_total{status="422"} offset 5m',
        note="The second half fires for a series that was not there five minutes ago; so it does after a restart, and "
        "when the zeros come back at the end of this drill. Better is a service that initialises its label values, as "
        "the demo model does. In the drill above nothing happens but that the zeros go; `driftdrill demo --only "
        "trap_counter_born` refuses one request on top, and measures both rules ([traps](../traps.md)).",
    ),
    Entry(
        "mon.counter_reset",
        life="Four gunicorn workers without `PROMETHEUS_MULTIPROC_DIR`: each scrape is answered by one of them, which "
        "counts its own requests only. The counter jumps down and up, Prometheus takes each jump down for a restart, "
        "and each jump up for requests.",
        how="WorkerCounters(workers=4)",
        seen="Only the scrape: `resets()` counts the jumps. The request rate reads up to 64 a second, and there are "
        "2. Ratios of rates of one page (error ratio, shares of bins) stay near their mean since the start of the "
        "process, since all counters jump together: the demo's alerts are quiet. They are also slow: with minutes "
        'that become seconds on top (`rescale("dep_delay", by=60)`), InputDrift fires after 21 minutes, not after '
        "9. Clients and canary see nothing.",
        rule='max by (job, instance) (resets(http_requests_total{handler="/predict"}[15m])) > 3',
        note="The rule allows for restarts. `ResetCounters()` is the plain restart: all counters begin at zero once, "
        "`rate()` gets over it, and no alert of the demo fires. An expression that subtracts counters by hand (`x - x "
        "offset 5m`) does not get over it.",
    ),
    Entry(
        "mon.deadman_missing",
        life="Prometheus itself is dead, its disk is full, or its way to Alertmanager is cut. No alert fires, and "
        "nobody can tell that from a quiet night.",
        how="",
        seen="Nobody: whoever would say so is the one that is dead.",
        rule="vector(1)",
        note="What to do instead: an alert of this expression, named Watchdog by custom, fires always. It is routed "
        "to a receiver outside of this Prometheus (another cluster's, or a hosted one) that calls somebody when it "
        "has not come for some minutes. To try it, stop Prometheus and wait for the call. `driftdrill mutate` leaves "
        "such alerts out, and names them: an alert that fires always tells no mutant from another.",
        clock="",
    ),
    Entry(
        "mon.duplicate_alert",
        life="A rule is copied into a second file and changed there, its name and labels are not. To Alertmanager "
        "both are one alert: what one rule resolves, the other still fires, and only one set of annotations is sent.",
        how="",
        example="```console\n$ promtool check rules --lint-fatal rules/*.yml\n  FAILED:\n"
        "lint error 1 duplicate rule(s) found.\nMetric: ModelDown\nLabel(s):\n        severity: critical\n```",
        seen="`promtool check rules` says so, and fails with `--lint-fatal`. It compares within a file: a copy in "
        "another file is not found. Nothing at run time says so.",
        note="What to do instead: lint, give each alert a name of its own, and look across files by "
        "`grep -h 'alert:' rules/*.yml | sort | uniq -d`. Two alerts of one name that differ in a label, such as "
        "`severity`, are no duplicates.",
        clock="",
    ),
    Entry(
        "mon.engine_upgrade",
        life="Prometheus is upgraded. From 3.0 on a range selector leaves out the sample exactly at its left end, so "
        "a range that just held two samples holds one, and `rate()` and `increase()` of it are empty. The rule is the "
        "same, and silent.",
        how="",
        example="```console\n$ driftdrill judge recordings/*.drill --rules 'rules/*.yml' \\\n"
        "    --engine /opt/prometheus-2.53/promtool --engine /opt/prometheus-3.5/promtool\n```\n\n"
        "The first engine's verdict counts. Each alert to which another one gives another word is a finding, "
        "`engine.differs`, and fails the run.",
        seen="Nobody: the upgrade succeeds, all rules load, and none reports an error.",
        note="A range of at least four scrapes is the same on both; [range.shorten](mon.range_too_short.md) finds "
        "those that are not. In virtual time a scrape never lies exactly at an evaluation, but the samples of "
        "recording rules and the steps of subqueries do: there the engines differ. Over a rate that is recorded every "
        "15 s, `rate(job:pred:rate[15s]) >= 0` fires on 2.42 and is SILENT on 3.5. A drill of the wall clock keeps its "
        "server's own phases. `driftdrill mutate --engine` takes a promtool too.",
        clock="",
    ),
    Entry(
        "mon.flapping",
        life="The fault comes and goes, as with one bad client, one bad replica behind a balancer or a retry storm. "
        "What is true every other minute is never true for five minutes on end: each time `for` begins anew, and the "
        "alert stays pending for ever.",
        how="",
        example="```console\n$ driftdrill demo --only trap_flapping --out drills\n"
        "$ driftdrill mutate drills/demo-*/trap_flapping.drill \\\n"
        "    --rules scenarios/rules/trap_flapping.yml --only RefusedOnAverage --operator mon.flapping\n```\n\n"
        "`avg_over_time(job:refused:ratio45s[3m]) > 0.3` becomes `job:refused:ratio45s > 0.3`, which is the silent "
        "rule of that trap, under the same `for: 2m`. KILLED: RefusedOnAverage must fire within 8 minutes of pulses "
        "of half a minute.",
        seen="Whoever looks at pending alerts. `ALERTS_FOR_STATE` holds the time since when an alert is pending, and "
        "changes each time that it begins anew. Notifications: none.",
        rule="changes(ALERTS_FOR_STATE[1h]) > 6",
        note="Smooth before the threshold, not after it: `avg_over_time`, a longer range, or `keep_firing_for` for an "
        "alert that fires and should not resolve at once. A drill tells the two apart if its strength comes in "
        "pulses: `strength=recurring(period=1 * minutes, duty=0.5)`. Of the demo's rules CanaryDeviates is smoothed, "
        "by `max_over_time`.",
        clock="",
    ),
    Entry(
        "mon.for_too_long",
        life="`for` was raised until the pager was quiet. Now it is longer than the incidents: they end, or have done "
        "their harm, before the alert fires.",
        how="",
        example="```console\n$ driftdrill mutate " + EXAMPLE + " \\\n    --operator mon.for_too_long\n```\n\n"
        "The mutant doubles `for`; where there is none it becomes `for: 5m`. InputDrift's `for: 5m` becomes `for: "
        "10m`: KILLED, since it fires 11 minutes after the unit change and the drill allows 15. The other 14 alerts "
        "survive: no expectation of these two drills says when, or that, they fire.",
        seen="Whoever looks at pending alerts: the rule was true, and never for long enough. The drill says LATE, or "
        "SILENT and how much was missing: *above its threshold for 1m45s, 30s too short for* `for: 2m`.",
        rule='sum by (alertname) (count_over_time(ALERTS{alertstate="pending"}[1d])) > 60\n'
        "unless on (alertname)\n"
        'max_over_time(ALERTS{alertstate="firing"}[1d])',
        note="The rule finds alerts that were pending for long within a day (60 evaluations) and never fired. Only an "
        'expectation with a time pins `for`: `fires("InputDrift", within=15 * minutes)`.',
        clock="",
    ),
    Entry(
        "mon.inhibited",
        life="`inhibit_rules` mute warnings while something critical fires. One whose `equal` list is empty, or names "
        "a label that neither side has, mutes all warnings while anything critical fires anywhere.",
        how="",
        seen="Alertmanager: the alert is there, in state `suppressed`, and nobody is told. Prometheus shows it "
        "firing, and so would a drill.",
        rule='alertmanager_alerts{state="suppressed"} > 0',
        note="What to do instead: ask Alertmanager (`amtool alert query --inhibited`, or "
        "`/api/v2/alerts?inhibited=true`) while a drill on the wall clock fires the alert. The rule counts silenced "
        "alerts too. driftdrill's verdict ends at what Prometheus makes of the rules: FIRED does not say that "
        "somebody was told.",
        clock="",
    ),
    Entry(
        "mon.job_renamed",
        life="A scrape job gets another name, with a new chart or a tidy-up of `prometheus.yml`. The targets are "
        "scraped as before, under the new name. What selects the old one finds nothing.",
        how='RenameJob(to="flights")',
        seen='No target is down: `up{job="model"}` is not 0, it is not there. Prometheus writes no stale marker for a '
        "job that its configuration no longer has, so for five minutes the last samples still count. Rules that group "
        'by job go on under the new name; those that select it (`{job="model"}`) are silent, `up == 0` among them. '
        f"{SILENT_WITH_IT}",
        rule='absent(up{job="model"})',
        note="Of the demo's rules only ModelMetricsAbsent tells, by its `absent()`: five minutes of staleness, and "
        "five of `for`. Rates need a few scrapes until they begin anew under the new name. `driftdrill demo --only "
        "trap_job_renamed` sets it against `up == 0` ([traps](../traps.md)).",
    ),
    Entry(
        "mon.label_collision",
        life="The service puts a `job` or `instance` label on its own metrics. Prometheus sets these itself: without "
        "`honor_labels` it keeps its own and moves the page's to `exported_job`; with `honor_labels: true`, copied "
        "from a Pushgateway's job, the page's wins, and the series belong to a job that nobody has heard of.",
        how='AddLabel(label="job", value="flights")',
        seen="The scrape succeeds and `up` is 1. Every series is another one than before: graphs break, and a division "
        "whose other side lacks `exported_job` has no result, unless it matches `on (...)`. The demo's rules all "
        f"aggregate or match by named labels, and get over it. {SILENT_WITH_IT}",
        rule='count by (job, instance) ({job="model", exported_job!=""}) > 0',
        note="The other half is `FlipHonorLabels()`, which alone changes nothing here, since the demo's page has no "
        "such label. Both faults in one drill: the model's metrics become job `flights`, `up` stays with job `model`, "
        "and ModelMetricsAbsent fires after 5.3 minutes.",
    ),
    Entry(
        "mon.label_renamed",
        life="A library update follows new conventions: `status` becomes `code`, or `http_response_status_code`. The "
        "metric is there, its values are right, and every selector on the old label is empty.",
        how='RenameLabel(label="status", to="code", metric="http_requests_total")',
        seen='The scrape succeeds. `http_requests_total{status=~"5.."}` selects nothing, and as soon as the old '
        "series have left the range the error ratio has no result, which is not 0: HighErrorRate, HighRejectionRate "
        "and AnswersWithoutPredictions can no longer fire. "
        f"NoTraffic does not read the label and still can. {SILENT_WITH_IT}",
        rule='absent(http_requests_total{job="model", status!=""})',
        note="Where a rule groups by the label it is not silent but wrong: "
        '`RenameLabel(label="feature", to="column", metric="model_feature_*")` throws all features\' bins together, '
        "and InputDrift fires after 6 minutes on data that has not moved. Strength is the share of series that are "
        "renamed.",
    ),
    Entry(
        "mon.last_value_gauge",
        life="A service exports its last prediction, or the last row's age, as a gauge. Prometheus sees one request "
        "of each scrape interval, and by chance which one: of 1,200 rows in ten minutes it sees 40.",
        how="",
        seen="Nobody. The gauge has plausible values and the graph looks alive. A fault in a tenth of the rows is in "
        "four of 40 samples, and an alert with `for` hardly ever sees it twice in a row.",
        note="What to do instead: count. A counter by bin or a histogram loses no row between scrapes, and its rate "
        "is a share of all rows ([the demo model's metrics](../model-metrics.md)). In review, look for `.set(` within "
        "the code that handles a request. Once such a gauge is on the page, [a frozen one](mon.stale_gauge.md) can be "
        "drilled.",
        clock="",
    ),
    Entry(
        "mon.metric_renamed",
        life="A library update renames a metric, or adds a unit or `_total` to its name. The page is fine, and so is "
        "`up`. All rules on the old name are silent for ever.",
        how='RenameMetric(metric="http_requests_total", to="requests_total")',
        seen="Nobody, in the demo's rules. Five minutes later, when the old series have left the range, "
        "HighErrorRate, HighRejectionRate, NoTraffic and AnswersWithoutPredictions have nothing to read. NoTraffic "
        "does not fire: no series is not a rate of 0. The `absent()` "
        f"of ModelMetricsAbsent is on another metric. {SILENT_WITH_IT}",
        rule='absent(http_requests_total{job="model"})',
        note="Renaming `model_predictions_total`, which ModelMetricsAbsent asks for, is noticed. `driftdrill demo "
        "--only trap_metric_renamed` measures that ([traps](../traps.md)). Strength is the share of series that are "
        "renamed; suffixes of a histogram (`_bucket`, `_sum`, `_count`) follow.",
    ),
    Entry(
        "mon.misrouted",
        life='A route in `alertmanager.yml` matches `team="ml"`, and the alert says `team: mlops`. It falls through '
        "to the default receiver, a channel that nobody reads.",
        how="",
        example="```console\n$ amtool config routes test --config.file=alertmanager.yml \\\n"
        "    alertname=InputDrift severity=warning job=model feature=dep_delay\n```",
        seen="Alertmanager delivers, so its own metrics are fine: it counts a notification, of another receiver. "
        "Prometheus shows the alert firing, and so would a drill. Where delivery itself fails, this tells:",
        rule="increase(alertmanager_notifications_failed_total[5m]) > 0",
        note="What to do instead: test the routing tree in CI with the labels that the alert really has, as above. "
        "They are those of the expression's result (`job` and `feature`), the rule's own (`severity`), and "
        "`external_labels` of Prometheus.",
        clock="",
    ),
    Entry(
        "mon.nan_poison",
        life="One observation is NaN. The sum of a histogram is NaN from then on, for the life of the process, and "
        "with it every mean and every rate of that sum. NaN is above no threshold and below none.",
        how='PoisonNaN(metric="model_prediction_probability_sum")',
        seen="Nobody. An alert on the mean (`rate(x_sum[5m]) / rate(x_count[5m]) > 0.4`) is silent for ever, and a "
        "graph shows a gap. The demo's rules read no such sum: its predictions are counted by bin, and NaN apart, in "
        f"`model_predictions_invalid_total`. {SILENT_WITH_IT}",
        rule="model_prediction_probability_sum != model_prediction_probability_sum",
        note="Only NaN differs from itself. `driftdrill demo --only trap_one_nan` lets the model itself answer some "
        "NaN, and shows that the mean then says nothing of exchanged classes ([traps](../traps.md)). With a [NaN in "
        "the answers](mis.nan_output.md) the fault begins in the model, not on the page.",
    ),
    Entry(
        "mon.range_too_short",
        life="The scrape interval is raised to save cost, and the rules stay. `rate()` needs two samples in its "
        "range: with fewer it has no result, and no alert on it can fire. Or a range was written as short as one "
        "scrape.",
        how="ScrapeInterval(interval=300.0)",
        seen="Nobody: `up` is 1 at every scrape. At one scrape in 300 s a range of 5 minutes holds one sample, and "
        "HighErrorRate, HighRejectionRate, HighLatency, NoTraffic and AnswersWithoutPredictions have nothing to say. "
        f"Ranges of 10 minutes hold two, and go on. {SILENT_WITH_IT}",
        rule='count_over_time(up{job="model"}[5m]) < 4',
        note="Take a range of at least four scrape intervals: one scrape may fail, and another may be late. The "
        "mistake in the rule is a mutant, which makes ranges a quarter as long:\n\n"
        "```console\n$ driftdrill mutate " + EXAMPLE + " \\\n    --only InputDrift --operator range.shorten\n```\n\n"
        "`increase(model_feature_values_total[10m])` becomes `[2m30s]`: KILLED, since 150 s never hold the 500 rows "
        "that the drift rule wants. The ranges of the other alerts survive in these two recordings.",
    ),
    Entry(
        "mon.relabel_drop",
        life="A rule of `metric_relabel_configs` drops expensive metrics, and its pattern takes more than was meant. "
        "Or an exporter is told to leave a collector out.",
        how='DropByRelabel(metric="model_feature_.*")',
        seen="The scrape succeeds, `up` is 1, and the page in a browser still shows the metrics. The drift index has "
        "no result from the next evaluation on, since its reference is dropped too: InputDrift, MissingValues and "
        "UnseenCategory can never fire. Of what Prometheus "
        f"adds to a scrape, two numbers differ: scraped, and left after relabelling. {SILENT_WITH_IT}",
        rule='scrape_samples_post_metric_relabeling{job="model"} < 0.9 * scrape_samples_scraped{job="model"}',
        note='Where dropping is meant, use `absent(model_feature_values_total{job="model"})`, or both. The page\'s '
        'own half is `DropSeries(metric="model_feature_*")`: then the two numbers are equal, and only `absent()` '
        "tells. Its `metric` is a shell pattern, that of `DropByRelabel` an anchored RE2.",
    ),
    Entry(
        "mon.replica_masked",
        life="A rule sums over all replicas. One of four refuses everything, the sum says 25 %, and the threshold is "
        "30 %; of 25 replicas it is 4 %, below the 5 % of the demo's HighRejectionRate.",
        how="",
        example="```console\n$ driftdrill demo --only trap_one_replica --out drills\n"
        "$ driftdrill mutate drills/demo-*/trap_one_replica.drill \\\n"
        "    --rules scenarios/rules/trap_one_replica.yml --operator mon.replica_masked\n```\n\n"
        "Twice `sum by (instance) (...)` becomes `sum(...)`, on either side of the ratio: 2 of 2 KILLED. The demo's "
        "own rules say `by (job)`, and with one job alone most of those mutants are the same rule: 23 of 28 survive "
        "the recordings of the example.",
        seen="The clients of that one replica. In the metrics it is there, by `instance`, but no rule looks.",
        rule='sum by (job, instance) (rate(http_requests_total{handler="/predict", status=~"4.."}[5m]))\n'
        "  / on (job, instance)\n"
        'sum by (job, instance) (rate(http_requests_total{handler="/predict"}[5m]))\n'
        "> 0.05",
        note="A replica with little traffic makes a noisy ratio: ask for a minimum of requests too. Any fault with "
        "`replica=` drills it ([one replica](replica.one.md)).",
        clock="",
    ),
    Entry(
        "mon.rule_not_loaded",
        life="A rule file is not matched by `rule_files`, lies in a ConfigMap that was not mounted, or one bad rule "
        "makes Prometheus refuse the whole new configuration and keep the old one. The alert is in git, and not in "
        "force.",
        how="",
        example="```console\n$ driftdrill mutate " + EXAMPLE + " \\\n    --operator mon.rule_not_loaded\n```\n\n"
        "Each rule in turn is not loaded: 6 of 28 KILLED, InputDrift and the five recording rules that feed it. Where "
        "it survives, no drill expects any alert to fire for that rule: such a rule may be lost unnoticed.",
        seen="Prometheus: `/api/v1/rules` does not list it, and `prometheus_config_last_reload_successful` is 0 where "
        "a reload failed. The service sees nothing.",
        rule="prometheus_config_last_reload_successful == 0\n"
        "or\n"
        'absent(prometheus_rule_group_rules{rule_group=~".*/demo.yml;model_data"})',
        note="The second half says that a group is there; its value is the number of the group's rules. A drill on "
        "the wall clock against a Prometheus of yours compares the alerts of `--rules` with what the server has "
        "loaded, and refuses to begin if some are missing.",
        clock="",
    ),
    Entry(
        "mon.scrape_timeout",
        life="The metrics page has become slow: too many series, a collector that asks a database, a process that is "
        "busy. Beyond the scrape's time-out (10 s by default) Prometheus gives up, although the service answers.",
        how="SlowPage(delay=12.0)",
        seen="The scrape fails: `up` is 0, and all series of the target become stale. It looks like a service that is "
        "down, and clients and canary see one that is well. Before it comes to that, `scrape_duration_seconds` rises.",
        rule=f'{DOWN}\nor\nscrape_duration_seconds{{job="model"}} > 8',
        note="Strength scales the delay. In real life it comes and goes: with `strength=recurring(period=1 * minutes, "
        "duty=0.5)` `up == 0` never lasts for a minute, and `avg_over_time(up[10m]) < 0.9` is the rule. In virtual "
        "time a scrape beyond the time-out fails at once, and a slow one below it takes no time: "
        "`scrape_duration_seconds` does not show it; on the wall clock it does.",
    ),
    Entry(
        "mon.stale_gauge",
        life="The thread that sets the metrics is dead, a Pushgateway shows last week's batch, a cached page is "
        "served. The page comes in time and holds what it held an hour ago.",
        how='Freeze(metric="model_*")',
        seen="The scrape succeeds and `up` is 1. A frozen gauge keeps its last value: an alert on it stays as it is, "
        "quiet or firing. Frozen counters do not grow: the drift rules of the demo see no rows, which is less than "
        "their 500, and are silent. What tells is another source that goes on: here the counter of HTTP requests, to "
        f"which AnswersWithoutPredictions compares. {SILENT_WITH_IT}",
        rule='changes(model_predictions_total{job="model", version="2013-06"}[10m]) == 0\n'
        "  and on (job, instance)\n"
        'sum by (job, instance) (rate(http_requests_total{handler="/predict"}[10m])) > 0',
        note="A batch that pushes should push its time too: `time() - push_time_seconds > 7200`. `Freeze()` freezes "
        "the whole page: then NoTraffic fires after 10 minutes, which is the wrong reason. "
        '`Freeze(metric="model_feature_*")` alone is noticed by no alert of the demo.',
    ),
    Entry(
        "mon.threshold",
        life="A threshold was copied from another service, was meant in per cent and is a share, or was raised after a "
        "false alarm. Or the comparison is the wrong way round.",
        how="",
        example="```console\n$ driftdrill mutate "
        + EXAMPLE
        + " \\\n    --only InputDrift --operator mon.threshold\n```\n\n"
        "| mutant of `job_feature:model_feature_psi:10m > 0.25` | |\n|---|---|\n"
        "| `< 0.25` | KILLED: FALSE_ALARM, it fires before the fault |\n"
        "| `>= 0.25` | survives: both rules mean the same, since no index is exactly 0.25 |\n"
        '| `> 0.5` | survives: InputDrift fires 1m30s later. `fires("InputDrift", within=705)` would kill it |\n'
        '| `> 0.125` | survives: with an index between 0.125 and 0.25, `quiet("InputDrift")` would kill it |',
        seen="Nobody. Too high, the rule is silent in the incident; too low, it fires without one, and is then "
        "ignored. No expression can know which value is right; drills with faults of known size can.",
        note="The fault of the recorded drill, minutes that become seconds, is so large (19.5 times the threshold) "
        'that it pins no threshold. A drill that does is sized: `sized(mean_shift("dep_delay"), psi=0.3)`, see [shift '
        "generators](../shifts/README.md).",
        clock="",
    ),
    Entry(
        "mon.time_of_day",
        life="A rule is muted at night (`and on () (hour() >= 6 < 20)`), because alerts at night were false. The "
        "clock of Prometheus is UTC, so the night begins at another hour in summer than in winter, and a fault at "
        "night is told in the morning.",
        how="",
        example="```console\n$ driftdrill judge recordings/*.drill --rules 'rules/*.yml' \\\n"
        "    --at 2026-03-27T12:00+01:00 --at 2026-03-27T23:00+01:00\n```\n\n"
        "Each recording is judged as if it had begun then, once for each moment. With InputDrift of the demo muted as "
        "above, the recorded unit change of the [example](../example/README.md) gives:\n\n"
        "```\n  FAILED        InputDrift responds alike at every moment (rules/demo.yml:60)\n"
        "                expected one response at 2026-03-27T12:00+01:00,\n"
        "                         2026-03-27T23:00+01:00\n"
        "                seen     differs with the moment: FIRED at\n"
        "                         2026-03-27T12:00+01:00, SILENT at\n"
        "                         2026-03-27T23:00+01:00\n```",
        seen="Nobody, by day. At night the rule has no result, and looks like one that has nothing to report.",
        note="The finding's code is `clock.dependent`. If the muting is meant, accept it with a reason and an expiry "
        "(`--accept`), or mute in Alertmanager, where a time interval has a time zone. The evenings on both sides of "
        "a change to summer time are two moments: `--at 2026-03-28T20:30+01:00 --at 2026-03-29T20:30+02:00` finds "
        "SILENT and FIRED for the same rule at the same hour of the wall clock. Without `--at` it is judged at "
        "the time at which the drill began, and marked *reads the time of day* ([virtual "
        "time](../virtual-time.md#the-time-of-day)).",
        clock="",
    ),
    Entry(
        "mon.vector_mismatch",
        life="A division or an `and` whose sides have other labels: `on (...)` was forgotten, or one side got a label "
        "more. No pair matches and there is no result, ever; or two match one, and the rule ends with an error.",
        how="",
        example="```console\n$ driftdrill mutate "
        + EXAMPLE
        + " \\\n    --only InputDrift --operator mon.vector_mismatch\n"
        "```\n\n"
        "In `job_feature_bin:model_feature_values:ratio10m` the clause `/ on (job, feature) group_left ()` becomes `/ "
        "ignoring () group_left ()`: left there is a bin, right there is none, and InputDrift is silent. KILLED, 1 of "
        "5. The other four survive, and are the same rule: both of their sides have these labels and no other.",
        seen=f"{RULES_SILENT} Many-to-many matching is an error that Prometheus counts "
        "(`prometheus_rule_evaluation_failures_total`); no match at all is none.",
        rule="increase(prometheus_rule_evaluation_failures_total[5m]) > 0\n"
        "or\n"
        "job:model_predictions:increase10m >= 500 unless on (job) job_feature:model_feature_psi:10m",
        note="The second half says: there are rows enough, and the rule that needs them has no result. `driftdrill` "
        "tells it of any recording: `its left side never had a value`. `driftdrill demo --only trap_label_mismatch` "
        "measures a plain division and one of sums ([traps](../traps.md)).",
        clock="",
    ),
    Entry(
        "mon.wrong_path",
        life="The metrics page moves with a new framework, or is served below a prefix, and the scrape job still asks "
        "for the old path. It gets 404, or worse, a page of HTML with 200.",
        how="WrongPath()",
        seen="The scrape fails: `up` is 0, and the list of targets in Prometheus says why. Every series of the model "
        "becomes stale, and all alerts on them are silent. Load, canary and clients see a service that is well.",
        rule=DOWN,
        note="By default the path is one that answers 404; a path that answers something else can be given. Only `up` "
        "and `absent()` tell: each job needs such an alert.",
    ),
    Entry(
        "mon.wrong_port",
        life="The service moves to another port, or metrics get a port of their own, and the scrape job does not "
        "follow. Or the port is right, and another process has taken it.",
        how="WrongPort()",
        seen="The connection is refused: `up` is 0, under the new address as `instance`. Every series of the model "
        "becomes stale, and all alerts on them are silent. Load, canary and clients see a service that is well.",
        rule=DOWN,
        note="By default it is port 1, where nobody listens. With `WrongPort(port=...)` of another exporter the "
        "scrape succeeds and `up` is 1: then only `absent()` tells. A job that finds its targets by discovery has no "
        "port of its own, and is refused.",
    ),
)
