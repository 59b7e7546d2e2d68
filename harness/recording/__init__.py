"""The narrow waist: what a drive leaves behind, and all that judging reads.

A recording is a folder ``*.drill/`` of open formats, appended as the drill runs:

    meta.json            scenario (phases, expectations, faults, seed), target, versions; written once, at the start
    samples.jsonl.gz     scrapes: series and their labels, times, values
    requests.jsonl.gz    requests in columns
    events.jsonl.gz      what happened and when; the last one says how the drill ended
    alerts.jsonl.gz      wall clock only: ALERTS and recorded series as the server made them
    rules/               the rule files as they were

Each stream is a sequence of gzip members (RFC 1952), one a block, each one line of JSON (so ``zcat`` reads it).
A block is written with one call; a drill that is killed leaves whole blocks and at most one torn one at the end,
which reading drops. After the event that ends a drill nothing can be torn: there it is damage.

Numbers that JSON has no word for are the texts "NaN", "+Inf", "-Inf" and "stale" (Prometheus's stale marker); null is
no sample. Times are scenario milliseconds.
"""
