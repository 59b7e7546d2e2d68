"""Pages of faults of the network, of processes and of the load; and of one replica."""

from docs.faults.entry import Entry

FAILED = """sum(rate(driftdrill_requests_total{outcome="failed"}[5m]))
  / sum(rate(driftdrill_requests_total[5m])) > 0.05"""
"""The client's side of the load, as the demo has it."""
CLIENT = (
    "`driftdrill_requests_total` is the drill's own count of what its load got. In production the same is a counter "
    "in the caller, or of the ingress where the fault is behind it."
)
INGRESS = """histogram_quantile(
  0.95,
  sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket{service="model"}[5m]))
) > 0.25"""
PER_CONNECTION = (
    "Strength scales the share of the connections, not of the requests: a client that keeps its connections loses all "
    "requests of one, or none."
)
SIDE = (
    "An ingress sees it where the fault lies behind it, as the rule below has it; where the fault lies before it, "
    "only the client does."
)
WALL = "It takes time, so it runs on the wall clock only."

ENTRIES = (
    Entry(
        "sys.bandwidth",
        life="A shaped link, a saturated gateway, a client on a mobile network: bytes come slowly. It hurts most "
        "where there are many of them, such as images, embeddings and long batches.",
        how="Bandwidth(0.5)",
        seen="The client waits: an answer of the demo model has about 170 bytes, which take 0.35 s here. The model "
        "hands its answer to the kernel and is done, so its own histogram is as fast as before. The canary is "
        "answered too, "
        f"only late, and no alert of the demo reads how late. {SIDE}",
        rule=INGRESS,
        note="`rate` is in kilobytes a second, for each connection and not for all together. `stream` is "
        '`"downstream"` (the answers) by default; `"upstream"` slows the requests. Strength s lets rate / s through: '
        f"half the strength is twice the rate. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.clock_skew",
        life="Time synchronisation stops on a host, a virtual machine goes on from a snapshot, somebody sets a clock "
        "by hand. All times that the process tells are off by the same amount.",
        how="SkewTimestamps(3600)",
        seen="The answers do not change. The demo model tells one time, `process_start_time_seconds`. An alert on an "
        "age (`time() - x > n`) goes silent when the clock is ahead, since all ages are too small; to `changes()` the "
        "jump looks like a restart. No alert of the demo reads a time.",
        rule='process_start_time_seconds{job="model"} > time() + 60',
        note="The clock of a running process cannot be changed from outside. This changes what its metrics page "
        "shows, in metrics named `*_timestamp_seconds` and `*_time_seconds`; `metric` and `labels` select among them. "
        "A clock that is behind (negative seconds) makes nothing impossible, only older: compare hosts, with the node "
        "exporter's `node_timex_offset_seconds` and `node_timex_sync_status`. In virtual time an alert that calls "
        "`time()` is marked as [rebased](../virtual-time.md): its ages stay what they are.",
    ),
    Entry(
        "sys.cpu",
        life="A CPU limit that was copied from another service, a throttled cgroup, a noisy neighbour. The process "
        "runs for a slice and then stands still until its quota is filled again.",
        how="CpuLimit(share=0.05)",
        seen="The client waits for the next slice: of one request after another each takes 86 ms in place of 1. The "
        "model does not know, since a request is read and answered within a slice: 97 % of them are below 1 ms in its "
        "own histogram. `process_cpu_seconds_total` stays low, too: what is throttled does not burn. The canary is "
        "answered. What tells is the cgroup's count of throttled periods, where there is a cgroup; else a latency "
        "that is measured outside.",
        rule="""rate(container_cpu_cfs_throttled_periods_total{container="model"}[5m])
  / rate(container_cpu_cfs_periods_total{container="model"}[5m]) > 0.25""",
        note="A process is stopped and continued ten times a second, which the kernel does not count as throttling; a "
        "slice is a few milliseconds long at least, whatever the share. A container gets a real quota, which it does "
        "count. Strength s lets it run for the share 1 - s (1 - share). `CpuLimit` needs to know the process or "
        "container (`process` of the target, see [injecting](../injecting.md)). `CpuBurner(workers=1)` burns a CPU of "
        "the machine "
        f"that the drill runs on instead: `rate(node_pressure_cpu_waiting_seconds_total[5m])` tells. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.crash_loop",
        life="The process dies of a signal (out of memory, a segmentation fault in a native library), and its "
        "supervisor starts it again, and again. Between two deaths it answers.",
        how="CrashLoop(period=8, down=2)",
        seen="The client's requests are refused while the process is away, here for more than a quarter of the time. "
        "The scrape fails as well, but `ModelDown` does not fire: its `for` is longer than one outage, and each "
        "success begins it anew. Counters begin at 0 again, which `rate()` takes for a reset and smooths away. The "
        "canary fails like the load. What stays is the process's own start time, which moves.",
        rule='changes(process_start_time_seconds{job="model"}[15m]) > 2',
        note="The first kill comes at once, and strength s makes the period period / s. The process is started again "
        "with its own command, folder and environment, or with `restart = [...]` of driftdrill.toml; `restart = []` "
        "says that a supervisor does it. It must listen on the same port again, so a service that takes a free port "
        "(`--port 0`) cannot be drilled this way. What was started again runs on after the drill. Choose a period "
        "that is some scrapes long, else `changes()` misses deaths.",
        clock="wall",
    ),
    Entry(
        "sys.descriptors",
        life="Connections or files that are never closed use up the process's file descriptors, or a limit of 1024 "
        "meets more clients than before. `accept()` and `open()` fail with EMFILE.",
        how="DescriptorLimit()",
        seen="Connections that are open go on: load, canary and scrape keep theirs, so this drill does next to no "
        "harm, and no alert fires. A new client connects, as the kernel accepts for the process, and waits until it "
        "times out; now and then the load needs one more connection, and waits like that. The metrics that should "
        "tell vanish at that very moment: the client library opens a file to read `process_open_fds`, and cannot. So "
        "a rule on their ratio warns before the limit and is silent at it; it needs the other half below, that the "
        "page is there and they are not.",
        rule="""process_open_fds{job="model"} / process_max_fds{job="model"} > 0.8
  or (up{job="model"} == 1 unless on (job, instance) process_open_fds)""",
        note="`spare` descriptors are left free; strength s leaves spare / s. `DescriptorLimit` needs to know the "
        "process (`process` of the target, see [injecting](../injecting.md)). Linux only, and not for containers, "
        "whose engine cannot change this limit of a running one. To see clients fail, let them connect anew: "
        f"by a service with a short keep-alive, or by more load during the fault. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.error",
        life="An ingress without a healthy backend, a mesh sidecar that is full, a rate limiter: something between "
        "client and model answers in the model's place.",
        how='Status(503, path="/predict", share=0.2)',
        seen="The client gets a 503 for one request in five. The model never sees these, so that it counts no error, "
        "and `HighErrorRate` on its own counter stays silent; its traffic falls by a fifth, which no rule here minds. "
        "The canary sees it, as it takes the same way as the load.",
        rule=FAILED,
        note=f"{CLIENT} A `share` hits the same requests in every run of a seed, and strength scales it. `/metrics` "
        f"and "
        "`/health` are left alone unless `path` names them.",
    ),
    Entry(
        "sys.hang",
        life="A deadlock, a debugger, a paused container, a stop-the-world collection that never ends: the process is "
        "there and holds its port, and nothing comes back. Connections are still accepted, by the kernel.",
        how="Hang()",
        seen="The client times out, and so does the scrape: `up` is 0, and every metric of the model is stale from "
        "that scrape on. Alerts on what these metrics say have no series left and are silent; only `up` and "
        "`absent()` tell, and the canary.",
        rule='up{job="model"} == 0',
        note="`Hang` needs to know the process (`process` of the target, see [injecting](../injecting.md)). A "
        "guardian beside the drill holds it: SIGCONT is sent at the end, on Ctrl-C, and also if the drill is killed.",
        clock="wall",
    ),
    Entry(
        "sys.io",
        life="A backup, a log that is written with debug level, a neighbour that compacts its database: the disk is "
        "busy for others. A model that loads features or weights from disk waits.",
        how="IoBurner()",
        seen="Nobody, on this model: it holds its weights in memory and writes no log, so that its answers are as "
        "before and no alert fires. One that reads features or spills to the same disk is slower, in its own "
        "histogram too. The cause is a metric of the machine, which the demo does not scrape: below the node "
        "exporter's.",
        rule="rate(node_pressure_io_waiting_seconds_total[5m]) > 0.5",
        note="It acts on the machine that the drill runs on, whatever the target: put `folder` on the disk that the "
        "model reads from. The default is the temporary folder, which may be in memory. Strength is the share of the "
        "time. The "
        f"file has 64 MiB and no name, so nothing is left behind, however the drill ends. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.jitter",
        life="A wireless last hop, a shared link, a queue that fills and empties: the delay is another one for each "
        "piece of data, and the mean may be fine while the tail is not.",
        how="Latency(200, jitter=200)",
        seen="The client waits between 0 and 0.4 s, and so does the canary, which is answered all the same. The "
        "model's histogram does not move, because nothing is delayed inside. A mean hides jitter even where it is "
        "measured; the "
        f"share of the requests above a bound does not. {SIDE}",
        rule="""1 - (
    sum(rate(nginx_ingress_controller_request_duration_seconds_bucket{service="model", le="0.25"}[5m]))
  / sum(rate(nginx_ingress_controller_request_duration_seconds_count{service="model"}[5m]))
) > 0.05""",
        note="`Latency` draws uniformly from latency - jitter to latency + jitter, never below 0, for each piece of "
        "data in each direction that it is on; `Delay` draws once for each request. Strength scales both values. The "
        "order of "
        f"bytes on a connection stays. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.latency",
        life="A service moves to another region, a proxy is overloaded, a DNS lookup or a TLS handshake is repeated "
        "for each request. Or the model itself is slow.",
        how="Latency(400)",
        seen="The client waits 0.4 s longer, and nobody else: the model's own histogram begins when a request has "
        "arrived and ends when the answer is handed over, so that `HighLatency` on it cannot fire, whatever the delay "
        "on the way. "
        f"The canary is answered, only late. {SIDE}",
        rule=INGRESS,
        note="`Latency` delays the bytes of the chosen `stream`, heads and bodies alike; `Delay(400)` holds requests "
        "back, selected by path, method, header and share. `Slow(0.4)` is the same delay inside the demo model: there "
        f"`HighLatency` fires, in the same drill after 7.3 s. Strength scales the delay. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.memory",
        life="A leak, a cache without a bound, a neighbour on the same host, a limit that fits the last model and not "
        "this one. What happens then depends on whoever asks next for memory.",
        how="MemoryLimit(headroom=0)",
        seen="Nobody, here: no alert fires, and no request fails. The demo model at a steady load asks for no memory "
        "that it does not have. A limit bites when something grows: a long batch, another model that is loaded, a "
        "thread more. Then an allocation fails, and the answer is a 500, or the kernel kills and it is "
        "[sys.crash_loop](sys.crash_loop.md). So what helps is a rule that looks ahead.",
        rule='predict_linear(process_resident_memory_bytes{job="model"}[1h], 4 * 3600) > 2e9',
        note="`MemoryLimit` limits a process's address space (RLIMIT_AS) to what it has and `headroom` more, strength "
        "s to headroom / s; of a container the memory, where `container_memory_working_set_bytes / "
        "container_spec_memory_limit_bytes` is the rule. `MemoryBurner(256 << 20)` takes memory of the machine that "
        "the drill runs on, whatever the target, and leaves 256 MiB to all others; the node exporter's "
        "`node_memory_MemAvailable_bytes` tells. "
        f"`MemoryLimit` needs to know the process (`process` of the target, see [injecting](../injecting.md)). {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.merge_patch",
        life="A mapping template of an API gateway, a mesh filter or a compatibility layer writes a default over a "
        "field of the answer. Or of the request, where it drops a field that it does not know.",
        how='Patch({"prediction": 0.1}, path="/predict")',
        seen="The client gets 200 and a plausible probability, always the same. The model counts the predictions that "
        "it made, not those that arrive, so that no drift rule moves: of the metrics nothing is wrong. The canary "
        "knows what it should get.",
        rule="max by (canary) (max_over_time(driftdrill_canary_deviation[5m])) > 0.05",
        note='`on="request"` changes what the model is asked, which its input metrics see: with `{"dep_delay": None}` '
        "the feature is missing, and `MissingValues` fires. In a patch (RFC 7396) null removes a member, and a list "
        "is replaced as a whole. A body that is no JSON passes as it is; a drill that changed nothing is INVALID.",
    ),
    Entry(
        "sys.overload",
        life="A batch job calls the online service, clients retry without backoff, a campaign begins: more requests "
        "come than the service can answer, and they wait.",
        how="load(times=150)",
        seen="The clients: in this drill, where the demo model answers about 4500 requests a second and 6000 come, "
        "one in a hundred waited for more than 8 s. Nobody else: requests wait for one of the load's 64 connections, "
        "so that the model never has more than these at once. By its own histogram it is fast, it refuses none, and "
        "there is no error to count. The canary has a connection of its own and is answered. The queue outlives the "
        "fault by several seconds. What tells before clients do is saturation: a process of one thread that uses most "
        "of a CPU.",
        rule='rate(process_cpu_seconds_total{job="model"}[5m]) > 0.7',
        note="Find the service's highest rate first ([scale](../scale.md)), and let `times` go beyond it: 60 times "
        "the 40 requests/s of this drill were no overload for this model. Strength s makes the rate 1 + s (times - 1) "
        "as high; `load(times=0)` is no traffic at all. In virtual time more load is only more rows: what waits needs "
        "the wall clock. A generator that is itself too slow makes the drill INVALID.",
        clock="wall",
    ),
    Entry(
        "sys.refuse",
        life="A wrong port after a deployment, a firewall rule, a load balancer without listeners: connections are "
        "refused at once, and those that were open are cut.",
        how="Down()",
        seen="Every request fails at the client at once. The model is up, is scraped, and gets no traffic: ratios of "
        "its counters are 0/0, so that alerts on errors and on drift fall silent. `NoTraffic` is the only one of its "
        "own that can tell, and it is late: the rate over 5 minutes is 0 after 5 minutes, and its `for` is 5 more. "
        "The canary fails like the load, and tells in a minute.",
        rule='sum by (job) (rate(http_requests_total{job="model", handler="/predict"}[5m])) == 0',
        note="Below strength 1 a share of the connections is reset instead, and a drop of the traffic against the "
        "week before (`offset 1w`) is what the server's side can see. A toxiproxy server of yours knows strength 1 "
        "only, as a proxy that is not enabled.",
    ),
    Entry(
        "sys.replaced",
        life="A maintenance page, a captive portal, a login form after a session ran out: somebody answers 200 with a "
        "body that is not the model's.",
        how='Replace("<h1>Maintenance</h1>", content_type="text/html", path="/predict")',
        seen="The status is 200, so every metric that counts by status is content, at the ingress too. The model "
        "answers each request and counts it. The client fails as it parses the body, and so does the canary.",
        rule=FAILED,
        note=f"{CLIENT} A body that parses is worse: with "
        '`Replace(\'{"prediction": 0.1, "late": false}\')`, a stuck cache, no request fails, and only a canary '
        'deviates. `on="request"` replaces what the model is asked. Strength scales the share of the requests.',
    ),
    Entry(
        "sys.reset",
        life="A firewall or a NAT gateway forgets a connection, a load balancer is restarted, a backlog overflows: "
        "the peer answers with a TCP RST.",
        how="ResetPeer()",
        seen="The client has a connection error where it waits for the answer. On the default stream, the answers, "
        "the request was served: the model counts a 200 and a prediction that nobody got, and none of its metrics "
        "moves. A client that retries asks twice.",
        rule=FAILED,
        note=f'{CLIENT} With `stream="upstream"` requests are lost before they arrive: the model\'s traffic stops, '
        f"and `NoTraffic` fires. `timeout` is milliseconds from the first data to the reset. {PER_CONNECTION}",
    ),
    Entry(
        "sys.slicer",
        life="A small MTU on a tunnel, a proxy that flushes each chunk, a client on a packet radio: the same bytes "
        "come in many small pieces.",
        how="Slicer(average_size=20, delay=50_000)",
        seen="The client gets nine pieces, 50 ms apart, so that an answer takes 0.4 s. A parser that takes one read "
        "for one message breaks here; the load's client puts the pieces together, as it should. The model's "
        f"metrics and the canary's answers are as before. {SIDE}",
        rule=INGRESS,
        note="`delay` is in microseconds, as in toxiproxy. A `size_variation` makes the pieces uneven. "
        f"Strength scales the share of the connections. {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.slow_close",
        life="A proxy lingers, a FIN is lost, a peer waits for its timeout: a connection that one end has closed "
        "stays open at the other, and sockets pile up.",
        how="SlowClose(4000)",
        seen="The server has closed a connection that the client still takes for open. A client that sends its next "
        "request on it gets no answer, and an error only when the close arrives: with a delay of 4 s, up to 4 s "
        "later. The server has not seen the request. To its metrics the load is a little lower, and nothing else.",
        rule=FAILED,
        note="Connections must be closed for this to act: by `Connection: close`, by HTTP/1.0, or by a keep-alive of "
        "the server that is shorter than the pauses between requests (uvicorn: 5 s, gunicorn: 2 s). The demo model "
        "and the load's client keep theirs for minutes, so there the drill is INVALID (it changed nothing that "
        "passed), "
        f"which is why this page has no measured drill. {WALL}",
        clock="",
    ),
    Entry(
        "sys.timeout",
        life="A firewall drops packets without a word, a route goes nowhere: the connection is open, and nothing "
        "comes through it.",
        how="Timeout()",
        seen="The client waits until its own timeout, here 10 s, and its connections are all taken up by requests "
        "that wait: further ones are given up unsent. On the default stream, the answers, the model has answered each "
        "request that came and counts a 200. Its traffic falls, since its clients are busy with waiting, but not to "
        "0, so that `NoTraffic` is silent. The canary tells, once its own first request has timed out.",
        rule=FAILED,
        note=f'{CLIENT} With `stream="upstream"` nothing arrives at the model. `timeout` is milliseconds after '
        f"which the connection is closed; 0 keeps it open until the toxic is removed. {PER_CONNECTION} {WALL}",
        clock="wall",
    ),
    Entry(
        "sys.truncated",
        life="A proxy has a limit on bodies, a connection is cut while the answer is on its way, a worker dies in the "
        "middle of a stream: the client gets the beginning of an answer.",
        how="LimitData(150)",
        seen="The client reads a status of 200 and then half a body. A careless client takes it for an empty or a "
        "valid answer; the load's client, and the canary, count a failure. The model has sent it all and counts a 200.",
        rule=FAILED,
        note=f"{CLIENT} `bytes` counts a connection's bytes, heads included, and not those of one answer: with 1000, "
        f"the first few answers of a connection are whole. An answer of the demo model has about 170. {PER_CONNECTION}",
    ),
    Entry(
        "replica.one",
        life="One replica of several is wrong: an older sidecar, a node with a bad disk, a rollout that stopped "
        "half-way. Here the gateway before one of two replicas has a field that saturates at 20 minutes of delay.",
        how='clipped("dep_delay", upper=20)',
        replica=1,
        seen="The clients of that replica get wrong answers. The rules add up replicas, and the sum halves the shift: "
        "the index of `dep_delay` is 0.14 where it would be 1.3, and the threshold is 0.25. On both replicas the same "
        "fault fires `InputDrift` after 11.5 minutes. The gateway is not on the canary's way here, whose golden rows "
        "are sent as they are. A rule that keeps `instance` tells, and says which replica it is.",
        rule="""max by (instance, feature) (
  abs(
      sum by (instance, feature, bin) (increase(model_feature_values_total[10m]))
    / on (instance, feature) group_left ()
      sum by (instance, feature) (increase(model_feature_values_total[10m]))
    - on (feature, bin) group_left ()
      max by (feature, bin) (model_feature_reference_ratio)
  )
) > 0.15""",
        note="`replica=1` is the target's second address (`replicas` in driftdrill.toml). It limits rows and payloads "
        "to the requests that go there, pages to its metrics page, and all else to its proxy, process or service. The "
        "accuracy above is that of the requests that go there. A window for each replica holds fewer rows, so choose "
        "it longer or the threshold higher, as here.",
    ),
)
