"""Pages of the family mis."""

from docs.faults.entry import Entry

SWITCH = (
    "A switch of the demo model: start it with `--admin` and give the target its token "
    "([injecting](../injecting.md#the-demo-model)). Strength is the share of the rows."
)
"""What the example needs."""
HOOK = "a [control hook](../injecting.md#any-service-control-hooks)"
CANARY = "max by (canary) (max_over_time(driftdrill_canary_deviation[5m])) > 0.05"
"""The demo's CanaryDeviates."""
OWN = "The expression reads the metric of a drill's [canary](../canary.md); in production the canary is one of yours."
ONE_BIN = """max by (job, feature) (
    job_feature_bin:model_feature_values:increase10m
  / on (job, feature) group_left ()
    (job_feature:model_feature_values:increase10m >= 500)
) > 0.9"""
DEMO = "The expression reads rules of [demo.yml](../../scenarios/rules/demo.yml)."

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "mis.wrong_version",
        life="A rollback that was never rolled forward, a registry alias that points to last year's artefact, an image "
        "tag that was overwritten. The model is a real one, only not the one that was tested.",
        how="WrongVersion()",
        seen="The client gets 200 and plausible predictions. If both versions are about as good, as here, no rule on "
        "inputs, predictions or decisions moves. The service's own metrics page sees it where it says which version "
        "answers. A canary sees it where the versions answer its inputs differently enough.",
        rule='count by (job, version) (model_info{version!="2013-06"}) > 0',
        note=f"{SWITCH}\n\nAt a share below 1 both versions are told.\n\nFor another service: {HOOK} that deploys the "
        'old artefact, `Fault("last year\'s model", control("old_model"), id="mis.wrong_version")`. The expected '
        "version in the expression must change with each roll-out, or be compared with a metric of whoever deploys.",
    ),
    Entry(
        "mis.traffic_split",
        life="A canary release was meant to get 10 % and gets everything, a weight in a router has one zero too many, "
        "an experiment was never ended.",
        how="TrafficSplit()",
        seen="The client gets 200. Each version is right by itself, so nothing about a single answer is wrong. Only "
        "counts by version tell how the rows are divided, in the service's metrics or in the router's. "
        "`UnexpectedModelVersion` and `MixedModelVersions` see that another version answers, at 1 % as at 100 %, so "
        "during a roll-out they say nothing new. A canary sees the other version where it answers differently enough.",
        rule="""sum by (job) (rate(model_predictions_total{version!="2013-06"}[10m]))
  / on (job)
sum by (job) (rate(model_predictions_total[10m]))
  > 0.05""",
        note=f"{SWITCH}\n\nUse `strength=constant(0.3)` for a split of 70 to 30.\n\nFor another service: {HOOK} that "
        'sets the weight of the router, `Fault("everything to B", control("all_to_b"), id="mis.traffic_split")`. '
        "During a roll-out the threshold is the share that it should have by then.",
    ),
    Entry(
        "mis.feature_order",
        life="Training read the columns in one order and serving sends them in another: a data frame was sorted, a "
        "feature list was edited, a client sends values without names. Both columns are numbers, so nothing complains.",
        how='FeatureOrder("dep_delay", "distance")',
        seen="The client gets 200 and confident nonsense. The service's metrics by feature see it if they count what "
        "the model is given; if they count what arrived, before it was put into order, they see nothing. Two features "
        "that drift at the same moment are the sign of it. Two columns with similar values can trade places unseen. A "
        "canary sees it first.",
        rule="count by (job) (job_feature:model_feature_psi:10m > 0.25) >= 2",
        note=f"{SWITCH}\n\nBoth features must be of one type. {DEMO}\n\nFor any service the client can do the same, "
        '`Fault("columns swapped", swap_columns("dep_delay", "distance"), id="mis.feature_order")`, which a canary '
        f"cannot see, since its rows do not go through the fault; or {HOOK}.",
    ),
    Entry(
        "mis.unit_change",
        life="Minutes become seconds, euros cents, Celsius Fahrenheit, in one service of a chain and not in the next. "
        "The name of the field stays.",
        how='UnitChange("dep_delay", by=60.0)',
        seen="The client gets 200. The service sees it in the distribution of the feature, above all in the last bin, "
        "and then in predictions that go to one end. A canary sees it first, if the change is in the service. A small "
        "factor, such as 1.05, stays below the threshold of a drift rule.",
        rule="""sum by (job) (increase(model_feature_values_total{feature="dep_delay", bin="+Inf"}[10m]))
  / on (job)
sum by (job) (increase(model_feature_values_total{feature="dep_delay"}[10m]))
  > 0.25""",
        note=f'{SWITCH}\n\nFor any service the client can do the same, `Fault("delays in seconds", '
        'rescale("dep_delay", by=60), id="mis.unit_change")`, which a canary cannot see, since its rows do not go '
        f"through the fault; or {HOOK}. [log_unit](../shifts/log_unit.md) and [temperature](../shifts/temperature.md) "
        "are other units.",
    ),
    Entry(
        "mis.scaler_missing",
        life="The scaler was saved apart from the model and not loaded, or a pipeline was exported without its first "
        "step. The model gets minutes and miles where it learnt standard deviations.",
        how="ScalerMissing()",
        seen="The client gets 200, with predictions of 0 or 1 and little between. Inputs are counted as they arrive, "
        "so input drift sees nothing. The service sees it in its predictions and decisions; a canary sees it at once.",
        rule="""1 - sum by (job) (rate(model_prediction_probability_bucket{le="0.9"}[10m]))
  / on (job)
sum by (job) (rate(model_prediction_probability_count[10m]))
  > 0.3""",
        note=f"{SWITCH}\n\nThe expression is the share of predictions above 0.9, which is 0.13 on clean rows.\n\nFor "
        f'another service: {HOOK} that loads the bare model, `Fault("no scaler", control("bare"), '
        'id="mis.scaler_missing")`; or `affine("dep_delay", by=41.3, offset=13.6)` at the client, which undoes the '
        "scaling of one column, and which input drift sees.",
    ),
    Entry(
        "mis.scaler_twice",
        life="The client standardises its numbers because an old notebook did, and the service's pipeline does it "
        "again. Everything is squeezed around the mean.",
        how="ScalerTwice()",
        seen="The client gets 200 and predictions that are nearly all alike, close to the base rate. Here the second "
        "scaling is inside the service, behind its counters of inputs, so input drift sees nothing. The predictions "
        "and decisions tell, and a canary.",
        rule="""1 - sum by (job) (rate(model_prediction_probability_bucket{le="0.9"}[10m]))
  / on (job)
(sum by (job) (rate(model_prediction_probability_count[10m])) > 0)
  < 0.05""",
        note=f"{SWITCH}\n\nThe expression is the share of predictions above 0.9, which is 0.13 on clean rows: what is "
        'wrong is that there are too few.\n\nFor any service the client can scale one column, `Fault("scaled twice", '
        'affine("dep_delay", by=1 / 41.3, offset=-13.6 / 41.3), id="mis.scaler_twice")`, which input drift sees and a '
        f"canary does not; or {HOOK}.",
    ),
    Entry(
        "mis.class_map",
        life="The order of the classes differs between training and serving, and the probability of the other class is "
        "answered: `predict_proba(x)[0]` for `[1]`, labels that were sorted anew.",
        how="ClassMap()",
        seen="The client gets 200 and probabilities that are valid and confident. Inputs are as ever. The service sees "
        "it in predictions and decisions, because one class is rarer than the other. With two classes of equal share "
        "neither moves, and only labels or a canary can tell.",
        rule="""sum by (job) (rate(model_prediction_probability_sum[10m]))
  / on (job)
sum by (job) (rate(model_prediction_probability_count[10m]))
  > 0.5""",
        note=f"{SWITCH}\n\nOne prediction of NaN makes the sum in the expression NaN for the life of the process, and "
        f'the expression silent.\n\nFor another service: {HOOK}, `Fault("classes swapped", control("swapped"), '
        'id="mis.class_map")`. A proxy cannot compute 1 - p.',
    ),
    Entry(
        "mis.stale_features",
        life="The job that fills the feature store has stopped, or a cache never expires. Features are there and "
        "valid, and are those of yesterday.",
        how='StaleFeatures(("dep_delay",))',
        seen="The client gets 200. The service sees it where all rows share one value: all of them fall in one bin, "
        "and that is input drift. Where each key keeps its own old value, the distribution stays as it was and nobody "
        "sees it, unless the age of the features is a metric. A canary sees it only if its features come from the same "
        "store, as they do here.",
        rule=ONE_BIN,
        note=f"{SWITCH}\n\nThe example is the coarse case, one value for all rows. {DEMO} Better is the age of the "
        "features, `time() - feature_timestamp_seconds > 3600` with a gauge of yours.\n\nFor any service the client "
        'can do the same, `Fault("delays stay", stuck("dep_delay"), id="mis.stale_features")`, which a canary cannot '
        'see. The fine case is `wrong_join("dep_delay")`: accuracy goes from 0.89 to 0.65, and none of the demo\'s '
        f"alerts fires. Or {HOOK} that stops the job.",
    ),
    Entry(
        "mis.default_imputed",
        life="The feature store is down or slow, and its client answers with defaults instead of an error, so that the "
        "model always gets something.",
        how='DefaultImputed(("dep_delay",))',
        seen="The client gets 200. Errors and missing values are 0, since the default was filled in before anything "
        "was counted. The service sees one bin hold everything, which is input drift. A counter of defaults in the "
        "store's client would say so at once, and so does a canary whose features come from that store.",
        rule=ONE_BIN,
        note=f"{SWITCH}\n\n{DEMO} The default of a median looks most normal and is the hardest to see at a small "
        'share.\n\nFor any service the client can do the same, `Fault("defaults", constant_column("dep_delay", '
        f'value=-1.0), id="mis.default_imputed")`, which a canary cannot see; or {HOOK} that takes the store away.',
    ),
    Entry(
        "mis.dtype",
        life="A model is quantised, exported to float16, or fed through a column of int8: most values survive, and the "
        "large ones wrap around, become infinite, or lose their fraction.",
        how='Dtype(("dep_delay",))',
        seen="The client gets 200. The cast is inside the model, behind the counters of inputs, so input drift sees "
        "nothing; few rows are hit, so predictions and decisions stay within their thresholds. Only a known input with "
        "a large value tells, which is a canary, or labels.",
        rule=CANARY,
        note=f"{SWITCH}\n\nDelays beyond 127 minutes, 3 % of the rows, wrap around. The canary sees it because its "
        "rows include the latest flights, and not before their turn comes: a round of its sixteen rows takes four "
        f"minutes. Golden rows need the ends of each range. {OWN}\n\nFor another service: {HOOK} that loads the "
        'quantised model, `Fault("int8", control("int8"), id="mis.dtype")`. At the client '
        "[rounding](../shifts/rounding.md) and [clipped](../shifts/clipped.md) come close.",
    ),
    Entry(
        "mis.threshold",
        life="A threshold in percent is read as a fraction, one that was tuned for another model stays, or logits are "
        "compared with a probability. The scores are right, and the decisions are not.",
        how="Threshold(0.05)",
        seen="The client gets 200. Inputs and probabilities are exactly as before, so rules on either are silent, and "
        "so is a canary that compares probabilities. Only the share of decisions tells.",
        rule="""abs(
    sum by (job) (increase(model_decisions_total{decision="late"}[10m]))
  / on (job)
    sum by (job) (increase(model_decisions_total[10m]))
  - on (job)
    max by (job) (model_decision_reference_ratio{decision="late"})
) > 0.1""",
        note=f"{SWITCH}\n\nThe accuracy that a drill measures is that of the probability, so it stays; of the "
        f"decisions as answered only 0.49 are right.\n\nFor another service: {HOOK} that sets the threshold, "
        '`Fault("threshold", control("threshold_5"), id="mis.threshold")`. A proxy can force one decision for all, '
        '`Patch({"late": True})` of `driftdrill.faults`: behind the metrics of the service, where none of '
        "the demo's alerts sees it.",
    ),
    Entry(
        "mis.calibration",
        life="A temperature or a calibrator of another model is applied, or none. The order of the rows stays, and so "
        "do the decisions at 0.5; whoever multiplies the probability by a cost is wrong.",
        how="Calibration(3.0)",
        seen="The client gets 200. Accuracy does not move, nor does AUC, so a metric from labels is silent as well, "
        "unless it is a calibration error or a Brier score. The service sees it in the distribution of predictions, a "
        "canary at once.",
        rule="""sum by (job) (rate(model_prediction_probability_bucket{le="0.1"}[10m]))
  / on (job)
(sum by (job) (rate(model_prediction_probability_count[10m])) > 0)
  < 0.2""",
        note=f"{SWITCH}\n\nA temperature above 1 pulls to the middle, one below 1 to the ends. The expression is the "
        f'share of predictions up to 0.1, which is 0.56 on clean rows.\n\nFor another service: {HOOK}, `Fault("no '
        'calibrator", control("raw"), id="mis.calibration")`.',
    ),
    Entry(
        "mis.vocabulary",
        life="A tokenizer is deployed from another model or another version of it: each text becomes valid token "
        "numbers, and they mean something else. Or many words become unknown.",
        how="",
        example="""```toml
[targets.reviews.hooks.other_vocabulary]
apply = { command = ["./deploy", "--tokenizer", "multilingual"] }
revert = { command = ["./deploy", "--tokenizer", "english"] }
timeout = 60.0
```

```python
from driftdrill import Fault, control

Fault("another vocabulary", control("other_vocabulary"), id="mis.vocabulary")
```""",
        seen="The client gets 200. A service that counts tokens sees the share of unknown ones and the length of texts "
        "in tokens. Without these, the predictions drift at best. A canary sees it at once.",
        rule="""sum by (job) (rate(tokenizer_unknown_tokens_total[10m]))
  / on (job)
sum by (job) (rate(tokenizer_tokens_total[10m]))
  > 0.05""",
        note="The table stands in driftdrill.toml. The two counters of the expression are for your service to have: "
        "the demo model has no tokenizer, and so no switch for this. With a permuted vocabulary no token is unknown, "
        "and only predictions and a canary are left. At the client [text_vocabulary](../shifts/text_vocabulary.md) is "
        "the nearest: texts that the right vocabulary does not know.",
        clock="",
    ),
    Entry(
        "mis.locale",
        life="A parser expects a decimal comma and takes the point for a thousands separator: 12.5 is read as 125. Or "
        "day and month of a date trade places.",
        how='Locale(("dep_delay", "distance"))',
        seen="The client gets 200. The service sees it in the distribution of each number that it parsed so; whole "
        "numbers written without a point are not hit at all. A canary sees it first. Where the parser refuses some "
        "texts, it is seen as errors or missing values before anything else.",
        rule="""sum by (job) (increase(model_feature_values_total{feature="distance", bin="+Inf"}[10m]))
  / on (job)
sum by (job) (increase(model_feature_values_total{feature="distance"}[10m]))
  > 0.5""",
        note=f"{SWITCH}\n\n`12.0` is read as 120.\n\nFor any service the client can do the same to one column, "
        '`Fault("decimal comma", rescale("distance", by=10), id="mis.locale")`, or send it as text with the payload\'s '
        '`Text("distance", "719,0")`, which the demo model refuses; a canary sees neither. '
        f"[time_format](../shifts/time_format.md) swaps day and month. Or {HOOK}.",
    ),
    Entry(
        "mis.constant_output",
        life="The model did not load, and a fallback, a stub or a rule of thumb answers in its place, so that nobody "
        "gets an error.",
        how="ConstantOutput(0.2)",
        seen="The client gets 200 and one value, which is a plausible one. Inputs, latency and errors are as ever. The "
        "service sees one bin hold all predictions; a canary sees it at once.",
        rule="""max by (job) (
    job_bin:model_prediction_values:increase10m
  / on (job) group_left ()
    (job:model_prediction_values:increase10m >= 500)
) > 0.9""",
        note=f"{SWITCH}\n\n{DEMO}\n\nFor any service a proxy can do the same behind the service's metrics: "
        '`Fault("constant", Patch({"prediction": 0.2, "late": False}), id="mis.constant_output")` with '
        f"`Patch` of `driftdrill.faults`. Then only the canary sees it, since it goes through the "
        f"proxy too. Or {HOOK}.",
    ),
    Entry(
        "mis.cache_stuck",
        life="The key of a cache before the model lost a part, such as the body of a POST: the first answer is given "
        "to everybody.",
        how="CacheStuck()",
        seen="The client gets 200, always the same, and faster than before. The model is not asked, so its counters "
        "stand still and every ratio of them is 0/0: drift rules have nothing to say and are silent. What tells is "
        "answers without predictions, a latency that is too low, or a canary.",
        rule="""sum by (job) (rate(model_predictions_total[5m]))
  / on (job)
sum by (job) (rate(http_requests_total{handler="/predict", status="200"}[5m]))
  < 0.5""",
        note=f"{SWITCH}\n\nHere the cache is inside the service and its requests are still counted. One before the "
        'service is seen there as a lack of traffic. A proxy that answers one body for all is `Fault("cache", '
        'Replace(body=\'{"prediction": 0.06, "late": false}\'), id="mis.cache_stuck")` of `driftdrill.faults`; '
        f"it still asks the service, whose metrics then see nothing at all: the canary alone does.\n\nFor another "
        f"service: {HOOK} that breaks the key.",
    ),
    Entry(
        "mis.nan_output",
        life="A weight is NaN after a training that diverged, a division by zero in a feature reaches the score, a log "
        "of 0 is taken. JSON has no NaN: `null` is answered, or the bare word.",
        how="NanOutput()",
        seen="The client gets 200 and no number. Status codes and latency are as ever. In the service a NaN is no "
        "reason for any comparison to be true, it falls in no bin, and it makes the sum of a histogram NaN for the "
        "life of the process. A counter of invalid predictions sees it. A canary has no answer to compare: its "
        "deviation stays what it was, and its count of failures tells.",
        rule="""sum by (job) (increase(model_predictions_invalid_total[10m]))
  / on (job)
sum by (job) (increase(model_predictions_total[10m]))
  > 0.01""",
        note=f"{SWITCH}\n\nWithout such a counter a sum that is not equal to itself says so, "
        "`model_prediction_probability_sum != model_prediction_probability_sum`; it fires until the process "
        "restarts.\n\nFor any service a proxy can do the same behind the service's metrics, where only the canary's "
        'failures tell: `Fault("no number", Patch({"prediction": None}), id="mis.nan_output")` of '
        "`driftdrill.faults` removes the key,"
        f" and `Replace(body='{{\"prediction\": NaN}}')` answers the bare word. Or {HOOK}.",
    ),
    Entry(
        "mis.nondeterministic",
        life="Dropout or batch statistics are left in training mode at inference, or an ensemble picks a member at "
        "random: one input gets another answer each time.",
        how="Nondeterministic(0.1)",
        seen="The client gets 200. Over many rows the distributions of inputs, predictions and decisions hardly move. "
        "Only an input that is asked again tells: a canary, or a client that retries and compares.",
        rule=CANARY,
        note=f"{SWITCH}\n\nThe switch draws from a fixed seed, so that a drill in virtual time can be repeated; in "
        "production no two answers need be alike. The last answer alone may be right by chance, so the expression "
        f"takes the maximum over some time. {OWN}\n\nFor another service: {HOOK} that starts it in training mode, "
        '`Fault("dropout", control("training_mode"), id="mis.nondeterministic")`.',
    ),
)
