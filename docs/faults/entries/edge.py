"""Pages of the family edge."""

from docs.faults.entry import Entry

REFUSED = """sum by (job) (rate(model_requests_refused_total[5m]))
  / on (job)
sum by (job) (rate(http_requests_total{handler="/predict"}[5m]))
  > 0.05"""
"""Requests that are no rows."""

UNSEEN = """sum by (job, feature) (increase(model_feature_values_total{bin="unseen"}[10m]))
  / on (job, feature)
sum by (job, feature) (increase(model_feature_values_total[10m]))
  > 0.01"""
"""Levels that training did not see."""

MISSING = """sum by (job, feature) (increase(model_feature_missing_total[10m]))
  / on (job) group_left ()
sum by (job) (increase(model_predictions_total[10m]))
  > 0.05"""
"""Rows without a value."""

ONCE = "`driftdrill edge` sends each case once and says what a service makes of it ([edge cases](../edge.md))."

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "edge.nan",
        life="A client divides by zero or reads an empty cell with pandas, and Python's `json` writes the result as "
        "the bare word `NaN`, which is no JSON. A server in Python reads it back without a complaint.",
        how='Number("dep_delay", "NaN")',
        seen="A service that validates answers 4xx: the client and the counter of status codes see it. One that does "
        "not validate answers 200, with a prediction of NaN or with a confident one; then comparisons such as `x > "
        "0.5` are false, no threshold alert fires, and only a counter of invalid values or `x != x` tells. The demo "
        "model refuses it with 422. The canary sends its own rows and sees nothing.",
        rule=REFUSED,
        note="Strength is the share of requests. `Infinity`, `-Infinity` and `1e999` are put in the same way; `1e999` "
        'is valid JSON and becomes infinity in most parsers. `edge("dep_delay", "nan")` changes the row instead: where '
        "the body is JSON, a NaN there is written as `null`, as a careful client does, and it is a missing value. "
        f"{ONCE}",
    ),
    Entry(
        "edge.null",
        life="A join finds no partner, a sensor is silent, an optional field becomes the rule: the key is there and "
        "its value is `null`.",
        how='Null("dep_delay")',
        seen="The client gets 200 and a plausible prediction, since the model imputes a constant. Status codes, "
        "latency and request counts do not move. The service sees it if it counts missing values by feature before it "
        "imputes them, and drift rules see it if missing values have a bin of their own. The canary sends its own rows "
        "and sees nothing.",
        rule=MISSING,
        note="Strength is the share of requests. Here a null is in a whole column; one that comes only with certain "
        'rows is [mar](../shifts/mar.md) or [mnar](../shifts/mnar.md). `edge("dep_delay", "null")` does the same to '
        "the row before it is encoded.",
    ),
    Entry(
        "edge.missing",
        life="A client library omits empty fields, a field is renamed on one side only, a schema makes it optional: "
        "the key is not there at all.",
        how='Missing("dep_delay")',
        seen="With an optional field the same as a [null](edge.null.md): 200, an imputed constant, and nothing in "
        "status codes. With a required one 4xx. Where a row is a list of values, what follows moves up by one place, "
        "and the service sees a row that is too short, or reads each value as its neighbour. The canary sends its own "
        "rows and sees nothing.",
        rule=MISSING,
        note="Strength is the share of requests. In V2 the whole input is left out.",
    ),
    Entry(
        "edge.unseen_category",
        life="A new product, airline or browser; a code in lower case after a rewrite; a trailing blank from a "
        "fixed-width export; a letter from another alphabet. The encoder has no column for it.",
        how='edge("carrier", "blank_after")',
        seen="The client gets 200. A one-hot encoder gives the row no level at all, and the prediction is that of a "
        "flight without a carrier. It looks plausible, and rules on predictions and decisions stay silent. The service "
        "sees it if it counts unknown levels, and drift rules see it if these have a bin of their own. A trailing "
        "blank cannot be seen in a log. For the demo model the carrier matters little, so the alerts are early warning "
        "here. The canary sends its own rows and sees nothing.",
        rule=UNSEEN,
        note="Strength is the share of rows. The other values are `unseen`, `case` and `homoglyph`. For a new level in "
        "a part of the rows see also [novel_category](../shifts/novel_category.md).",
    ),
    Entry(
        "edge.out_of_range",
        life="A sentinel such as -1 or 2147483647 stands for 'not known', a counter overflows, an identifier lands in "
        "a column of quantities. The value is a valid number that no training row had.",
        how='edge("dep_delay", "int32_max")',
        seen="The client gets 200 and a prediction of 0 or 1 with full confidence. The service sees it in the last bin "
        "of the feature and in the last bin of the predictions. A counter of values outside the range of training "
        "tells it sooner than a drift rule, and also where only 1 % of the rows are hit. The canary sends its own rows "
        "and sees nothing.",
        rule="""sum by (job, feature) (increase(model_feature_values_total{feature="dep_delay", bin="+Inf"}[10m]))
  / on (job, feature)
sum by (job, feature) (increase(model_feature_values_total{feature="dep_delay"}[10m]))
  > 0.25""",
        note="Strength is the share of rows. The other values are `zero`, `negative` (-1, an ordinary delay here), "
        "`int64_max`, `above_2_53`, `huge`, `subnormal` and `minus_zero`. A value must fit its column exactly: "
        "`int64_max` and `above_2_53` do not fit into float64, and are refused before the drill begins.",
    ),
    Entry(
        "edge.wrong_type",
        life="A form sends numbers as text, a client wraps a single value in a list, a library writes a boolean for 0 "
        "and 1: the value is there, under another JSON type.",
        how='WrongType("dep_delay", "text")',
        seen="A strict service answers 4xx: the client sees it, and the counter of status codes. A lenient one "
        'converts `"40"` to 40 and answers as before, converts `true` to 1, or fails with 5xx. A conversion is seen by '
        "nobody unless the service counts what it converts. The demo model refuses it. The canary sends its own rows "
        "and sees nothing.",
        rule=REFUSED,
        note="Strength is the share of requests. `to` is also `true`, `list`, `object` or `nested`, which is `depth` "
        f"lists: enough of them exhaust a recursive parser. `WrongDatatype` declares another datatype in V2. {ONCE}",
    ),
    Entry(
        "edge.batch_shape",
        life="A batch job sends an empty last batch, a client transposes a data frame, a row loses a cell, a caller "
        "sends ten thousand rows where one was expected.",
        how='BatchShape("one_more")',
        seen="A service that validates answers 4xx: the client sees it, and the counter of status codes. One that does "
        "not may answer with fewer predictions than rows, or with the rows' predictions in another order. Only the "
        "client can compare the counts then, or a service that counts rows in and predictions out. The demo model is "
        "asked one row at a time here, and refuses a list in its place. The canary sends its own rows and sees "
        "nothing.",
        rule=REFUSED,
        note="Strength is the share of requests. `to` is also `empty`, `many` (`rows`), `ragged` or `transposed`. "
        "`WrongShape` declares a shape in V2 that the data does not have. Where a request holds many rows, use a body "
        "of `$rows` (see [protocols](../protocols.md)).",
    ),
    Entry(
        "edge.size",
        life="A client sends a document where a code is expected, pads a body, or posts a day in one request. Limits "
        "in a proxy, a server and a framework differ, and the smallest one answers.",
        how="Padding(size=200_000)",
        seen="A limit answers 413, often in a proxy before the service: then the client sees errors that the service's "
        "own counters do not have. Without a limit the service answers as before, and pays in bytes, memory and "
        "latency. The size of requests is the one metric that shows it, and no alert of the demo reads that. The "
        "canary sends its own rows and sees nothing.",
        rule="""sum by (job) (rate(http_request_size_bytes_sum{handler="/predict"}[5m]))
  / on (job)
sum by (job) (rate(http_request_size_bytes_count{handler="/predict"}[5m]))
  > 10000""",
        note="Strength is the share of requests. The default is 5 MB: at 2 requests/s for 24 minutes these are 14 GB, "
        "so lower `size` or the strength in a drill. What large bodies cost in latency needs the wall clock. With "
        "`column` the padding is text in that column: it reaches the model, and is a level that nobody knows.",
    ),
    Entry(
        "edge.encoding",
        life="A client writes latin-1 and says nothing, a proxy compresses and drops the header, a text is cut in the "
        "middle of an emoji and half a surrogate pair remains, an upload ends early.",
        how='Text("carrier", "\\ud800", charset="ascii")',
        seen="Most of it is refused with 4xx: the client and the counter of status codes see it. What is accepted "
        "becomes another text, and for a model an unknown level. The example is such a case: a lone surrogate, written "
        "as an escape, is answered 200 by the demo model, and only the share of unknown levels tells. The canary sends "
        "its own rows and sees nothing.",
        rule=UNSEEN,
        note='Strength is the share of requests. `Text("carrier", "Zürich", charset="latin-1")`, `Gzip(header=False)` '
        'and `Truncated()` are refused by the demo model; `Charset("utf-16")` and `Charset("utf-8-sig")` it reads as '
        f"if nothing were wrong. {ONCE}",
    ),
    Entry(
        "edge.duplicate_key",
        life="Two layers of a client add the same key, or a body is put together from pieces of text. RFC 8259 leaves "
        "open which value counts: most parsers take the last one, some the first, some refuse.",
        how='DuplicateKey("dep_delay")',
        seen="The client gets 200. Nothing counts a key that stands twice. What the service's metrics can show is the "
        "value that won: if it is distributed otherwise, drift rules see that. A plausible second value is seen by "
        "nobody, and a proxy may have checked the first one while the service uses the last. The canary sends its own "
        "rows and sees nothing.",
        rule='job_feature:model_feature_psi:10m{feature="dep_delay"} > 0.25',
        note="Strength is the share of requests. The second value is ten times the first and one more, or `value`. The "
        "expression reads a rule of [demo.yml](../../scenarios/rules/demo.yml). The cure is a strict parser, and a "
        "counter of what it refuses.",
    ),
    Entry(
        "edge.unknown_key",
        life="A client is deployed before the service and sends a new field, or a field is misspelt. An unknown key is "
        "ignored by most services.",
        how='UnknownKey(key="dep_delay_minutes", value=12)',
        seen="The client gets 200 and the same prediction as before. No metric of the model moves, and being quiet is "
        "right as long as the old key is there too. A renamed key is an unknown and a missing one: the missing one is "
        "what hurts, and what can be counted. The size of requests is the only metric here that moves. The canary "
        "sends its own rows and sees nothing.",
        rule="""abs(
    sum by (job) (rate(http_request_size_bytes_sum{handler="/predict"}[5m]))
  / sum by (job) (rate(http_request_size_bytes_count{handler="/predict"}[5m]))
  / (
        sum by (job) (rate(http_request_size_bytes_sum{handler="/predict"}[5m] offset 15m))
      / sum by (job) (rate(http_request_size_bytes_count{handler="/predict"}[5m] offset 15m))
    )
  - 1
) > 0.1""",
        note='Strength is the share of requests. For a renamed key put `Missing("dep_delay")` beside it. The '
        "expression compares with a quarter of an hour ago, so it tells a change and falls silent after it; any other "
        "change of the clients moves it too. A service that refuses unknown keys needs no such rule.",
    ),
    Entry(
        "edge.time",
        life="A timestamp that is missing arrives as 1970, 'never' as 2999, a new client counts milliseconds and the "
        "service seconds, an offset from UTC is lost. Each is a valid time, and ages made of it are wrong by hours or "
        "by millennia.",
        how='edge("hour", "milliseconds")',
        seen="The client gets 200. The service sees it in the distribution of what it computes from the time, if that "
        "is monitored. Calendar columns often are not, since they drift by themselves: the demo's `hour` has no bins, "
        "so `InputDrift` cannot see the example, and what it does to the predictions must tell. A lost offset moves "
        "values by some hours within their usual range and does not show there either. The canary sends its own rows "
        "and sees nothing.",
        rule="job:model_prediction_psi:10m > 0.25",
        note="Strength is the share of rows. The demo model has no timestamp; its `hour` stands in, and becomes 1,000 "
        'times as large. With a column of timestamps it is `edge("ordered_at", "no_offset")`. Such a column holds '
        "datetime64, seconds since 1970, or ISO 8601 text, and takes `epoch`, `before_epoch`, `after_2038`, "
        "`leap_day`, `far_future`, `summer_time_gap`, `summer_time_twice`, for numbers `milliseconds`, and for text "
        "`no_offset`. The expression reads a rule of [demo.yml](../../scenarios/rules/demo.yml); better is a counter "
        "of times outside a plausible range.",
    ),
    Entry(
        "edge.text",
        life="A user sends nothing, a whole book, emoji, or a language that the model was not trained on. Tokens are "
        "then unknown, cut off, or bytes.",
        how='edge("carrier", "empty")',
        seen="The client gets 200 and a prediction made of nothing. The service sees it if it counts unknown levels or "
        "tokens, and the length of texts. Rules on predictions are silent where the model's answer to nothing looks "
        "like an average one, as here. The canary sends its own rows and sees nothing.",
        rule=UNSEEN,
        note="Strength is the share of rows. The demo model has no free text; an empty `carrier` is a level that "
        "nobody knows. The other values are `long`, `many_tokens` (0.5 MB each), `unknown_words`, `unknown_tokens`, "
        "`other_language`, `emoji` and `right_to_left`; what long ones cost in latency needs the wall clock.",
    ),
    Entry(
        "edge.merge_patch",
        life="The adapter of one partner fills in a default of its own: for its rows, and for no others, a field has a "
        "value that looks normal.",
        how='MergePatch({"dep_delay": 0.0}, select="carrier == \'UA\'")',
        seen="The client gets 200. The service sees valid rows. A drift rule on the whole column sees a change of a "
        "fifth of the rows diluted: in the drill below its index ends just above the threshold, and the alert is late. "
        "With `AA`, a tenth of the rows, none of the demo's alerts fires. What stands out sooner is one bin that holds "
        "far more than its share. The canary sends its own rows and sees nothing.",
        rule="""max by (job, feature) (
    job_feature_bin:model_feature_values:ratio10m
  - on (job, feature, bin) job_feature_bin:model_feature_reference:ratio
) > 0.1""",
        note="Any change of a JSON body can be written like this: a patch of RFC 7396, on the bodies for which the "
        "JMESPath `select` is true; `None` removes a key. Strength is the share of requests among which `select` "
        "chooses. The expression reads rules of [demo.yml](../../scenarios/rules/demo.yml). The proxy's `Patch` "
        "(`driftdrill.faults`, id `sys.merge_patch`) changes responses.",
    ),
)
