"""Healthy drills: how many of their responses are not judged, and how many are INVALID. `make healthy`.

    python -m tests.truth.healthy [--servers | --demo]

On the demo model every shipped scenario and misconfiguration at half of its rate, and every trap; on small servers with
the metrics of known exporters the rules that their users publish, under four faults; all with four seeds. ``--servers``
is some of the small servers' alone, as `make truth` runs them, ``--demo`` the demo model's. Bars: at most 2 % of the
responses NOT_JUDGED, no drill INVALID. Exit code 1 where one is missed.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from driftdrill.reports.data.verdict import Verdict, from_json
from tests.harness import scenarios, toy
from tests.harness.toy import TEXT, Answer, Toy
from tests.shared import ROOT

SEEDS = (1, 2, 3, 4)
MOST_UNJUDGED = 0.02
WITHIN = 300.0
"""Seconds for one drill, on a busy machine."""
FAULTS = {
    "far away": "[Fault('x + 2', moved)]",
    "a little": "[Fault('x + 2', moved, strength=constant(0.2))]",
    "half of the rows": "[Fault('x + 2', moved, where=lambda b: b['x'] > 0.5)]",
    "missing": "[Fault('null', Null('x'), strength=constant(0.4))]",
}


@dataclass(frozen=True)
class Exporter:
    """A server's page, made from how many requests it answered and refused, and the rules of its users."""

    page: Callable[[int, int], str]
    rules: tuple[str, ...]


def _histogram(name: str, bounds: Sequence[str], count: int, labels: str = "") -> str:
    """All of whose observations lie in the second bucket."""
    head = f"# TYPE {name} histogram\n"
    inside = (0 if i < 1 else count for i in range(len(bounds)))
    rows = [f'{name}_bucket{{{labels}le="{le}"}} {n}\n' for le, n in zip(bounds, inside, strict=True)]
    rows.append(f'{name}_bucket{{{labels}le="+Inf"}} {count}\n')
    own = "{" + labels.rstrip(",") + "}" if labels else ""
    return head + "".join(rows) + f"{name}_count{own} {count}\n{name}_sum{own} {count * 0.02:g}\n"


def _rows(good: int, bad: int) -> str:
    grouped = "".join(
        f'http_requests_total{{handler="/",status="{s}"}} {n}\n' for s, n in (("2xx", good), ("5xx", bad)) if n
    )
    return f"# TYPE http_requests_total counter\n{grouped}"


EXPORTERS = {
    "fastapi instrumentator": Exporter(
        lambda good, bad: (
            _rows(good, bad)
            + _histogram("http_request_duration_seconds", ("0.01", "0.1", "1.0"), good + bad, 'handler="/",')
        ),
        (
            'alert: HighErrorRate\n    expr: sum(rate(http_requests_total{status="5xx"}[1m])) / sum(rate(http_requests_total[1m])) > 0.05',
            "alert: HighLatency\n    expr: histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1m]))) > 0.5",
            "alert: NoTraffic\n    expr: sum(rate(http_requests_total[1m])) == 0",
            "alert: Down\n    expr: up == 0\n    for: 30s",
        ),
    ),
    "vLLM": Exporter(
        lambda good, bad: (
            f'# TYPE vllm:request_success_total counter\nvllm:request_success_total{{finished_reason="stop",model_name="m"}} {good}\n'
            "# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting 0\n# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0.2\n"
            + _histogram("vllm:e2e_request_latency_seconds", ("1.0", "10.0", "60.0"), good)
        ),
        (
            "alert: Queue\n    expr: vllm:num_requests_waiting > 50\n    for: 1m",
            "alert: CacheFull\n    expr: vllm:kv_cache_usage_perc > 0.95\n    for: 1m",
            "alert: SlowAnswers\n    expr: histogram_quantile(0.95, sum by (le) (rate(vllm:e2e_request_latency_seconds_bucket[1m]))) > 30",
            "alert: NoAnswers\n    expr: sum(rate(vllm:request_success_total[1m])) == 0",
        ),
    ),
    "Triton": Exporter(
        lambda good, bad: (
            f'# TYPE nv_inference_request_success counter\nnv_inference_request_success{{model="m",version="1"}} {good}\n'
            f'# TYPE nv_inference_request_failure counter\nnv_inference_request_failure{{model="m",version="1"}} {bad}\n'
            f'# TYPE nv_inference_count counter\nnv_inference_count{{model="m",version="1"}} {good}\n'
        ),
        (
            "alert: Failures\n    expr: sum by (model) (rate(nv_inference_request_failure[1m])) / (sum by (model) (rate(nv_inference_request_success[1m])) + sum by (model) (rate(nv_inference_request_failure[1m]))) > 0.05",
            "alert: Idle\n    expr: sum by (model) (rate(nv_inference_count[1m])) == 0",
            "alert: Gone\n    expr: absent(nv_inference_count)",
        ),
    ),
    "Flask exporter": Exporter(
        lambda good, bad: "".join(
            f'flask_http_request_total{{method="POST",status="{s}"}} {n}\n'
            for s, n in (("200", good), ("500", bad))
            if n
        ),
        (
            'alert: Errors\n    expr: sum(rate(flask_http_request_total{status=~"5.."}[1m])) > 0.2',
            "alert: Idle\n    expr: sum(rate(flask_http_request_total[1m])) < 0.01",
        ),
    ),
    "a page without counters": Exporter(
        lambda good, bad: (
            f'model_info{{version="3"}} 1\ndrift_score{{feature="x"}} {0.1 + good % 7 / 100:g}\nmodel_auc 0.91\n'
        ),
        (
            "alert: Drift\n    expr: avg_over_time(drift_score[1m]) > 0.4",
            "alert: Worse\n    expr: model_auc < 0.8\n    for: 30s",
            "alert: Down\n    expr: up == 0",
        ),
    ),
    "BentoML": Exporter(
        lambda good, bad: (
            "".join(
                f'bentoml_service_request_total{{endpoint="/predict",http_response_code="{s}"}} {n}\n'
                for s, n in (("200", good), ("500", bad))
                if n
            )
            + _histogram(
                "bentoml_service_request_duration_seconds", ("0.005", "0.05", "0.5"), good + bad, 'endpoint="/predict",'
            )
        ),
        (
            'alert: Errors\n    expr: sum(rate(bentoml_service_request_total{http_response_code!="200"}[1m])) / sum(rate(bentoml_service_request_total[1m])) > 0.05',
            "alert: Slow\n    expr: histogram_quantile(0.9, sum by (le) (rate(bentoml_service_request_duration_seconds_bucket[1m]))) > 0.4",
            "alert: Restarted\n    expr: resets(bentoml_service_request_total[1m]) > 0",
        ),
    ),
}


@dataclass(frozen=True)
class Played:
    """One drill: its verdict, or why there is none."""

    name: str
    verdict: Verdict | None
    why: str = ""


def on_server(name: str, fault: str, seed: int) -> Played:
    """A drill of a small server with an exporter's page."""
    exporter, called = EXPORTERS[name], f"{name}, {fault}, seed {seed}"
    refused = [0]

    def predict(number: int, asked: object) -> Answer | None:
        if isinstance(asked, dict) and asked.get("x") is None:
            refused[0] += 1
            return Answer("no", 500)
        return None

    model = Toy(predict=predict)
    model.page = lambda scrape: Answer(
        exporter.page(model.requests - refused[0], refused[0]), headers={"Content-Type": TEXT}
    )
    with tempfile.TemporaryDirectory(prefix="driftdrill-healthy-") as made, toy.serve(model):
        folder = Path(made)
        file = scenarios.write(
            folder,
            faults=FAULTS[fault],
            expect="[quiet(everything_else)]",
            imports="from driftdrill.faults import Null",
        )
        (folder / "rules.yml").write_text(
            "groups:\n- name: g\n  rules:\n" + "".join(f"  - {r}\n" for r in exporter.rules)
        )
        told = folder / "verdict.json"
        return _told(
            called,
            told,
            "run",
            file,
            "--target",
            model.url,
            "--rules",
            folder / "rules.yml",
            "--seed",
            seed,
            "--json",
            told,
            "--out",
            folder / "a.drill",
        )


def on_demo_model(name: str, number: int, seed: int) -> Played:
    """A drill of a shipped scenario on a demo model of its own."""
    with tempfile.TemporaryDirectory(prefix="driftdrill-healthy-") as made:
        told = Path(made) / "verdict.json"
        return _told(
            f"{name}-{number}, seed {seed}", told, "--one", name, number, seed, made, module="tests.truth.healthy"
        )


def _told(name: str, file: Path, *words: object, module: str = "driftdrill") -> Played:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
        cwd=ROOT,
    )
    if not file.exists():
        return Played(name, None, (done.stderr or done.stdout).strip()[-300:])
    return Played(name, from_json(file.read_bytes()))


def one(name: str, number: int, seed: int, folder: Path) -> None:
    """Drive one shipped scenario in this process, and write its verdict."""
    from driftdrill.harness.cli.demo import TOKEN, target_file
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.scenario.scenario import built_in, load_all
    from driftdrill.harness.setup.settings import settings_of
    from driftdrill.stack.model_service import starting

    scenario = load_all(built_in() / f"{name}.py")[number]
    # A trap may hang on single requests, which a lower rate would leave out.
    rate = scenario.rate if name.startswith("trap_") else scenario.rate.times(0.5)
    scenario = replace(scenario, rate=rate, seed=seed)
    os.environ[TOKEN] = secrets.token_urlsafe(24)
    replicas = 1 + max((f.replica or 0 for f in scenario.faults), default=0)
    with ExitStack() as held:
        coming = [held.enter_context(starting(admin=bool(scenario.faults_of("switch")))) for _ in range(replicas)]
        config = target_file(folder, [ready() for ready in coming])
        _, verdict = drill(scenario, settings_of(target="demo", config=str(config), out=str(folder / "a.drill")))
        assert verdict is not None
        (folder / "verdict.json").write_bytes(verdict.to_json())


def shipped() -> Iterator[tuple[str, int]]:
    """Every shipped scenario on the virtual clock: (file, place in it)."""
    from driftdrill.harness.scenario.scenario import built_in, load_all

    for file in sorted(p for p in built_in().glob("*.py") if not p.name.startswith("_")):
        yield from ((file.stem, i) for i, s in enumerate(load_all(file)) if s.clock == "virtual")


def main(words: Sequence[str]) -> int:
    """Play, print, judge."""
    began, servers = time.monotonic(), "--servers" in words
    faults, seeds = (("far away", "missing"), SEEDS[:1]) if servers else (tuple(FAULTS), SEEDS)
    small = (
        []
        if "--demo" in words
        else [(on_server, (name, fault, seed)) for name in EXPORTERS for fault in faults for seed in seeds]
    )
    demo = [] if servers else [(on_demo_model, (*which, seed)) for which in shipped() for seed in seeds]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        played = [p.result() for p in [pool.submit(how, *what) for how, what in (*small, *demo)]]  # type: ignore[operator]
    counts = Counter(r.word for p in played if p.verdict for r in p.verdict.responses)
    bad = 0
    for p in played:
        if p.verdict is None or not p.verdict.validity.valid:
            bad += 1
            print(f"{p.name}: {p.why or '; '.join(p.verdict.validity.reasons if p.verdict else ())}")
            continue
        for r in p.verdict.responses:
            if r.word == "NOT_JUDGED":
                print(f"{p.name}: {r.alert} {r.note}")
    all_, unjudged = sum(counts.values()), counts["NOT_JUDGED"]
    share = unjudged / max(1, all_)
    print(
        f"healthy: of {len(played)} drills {bad} INVALID or refused, of {all_} responses {unjudged} not judged "
        f"({share:.1%}) ({time.monotonic() - began:.0f} s)"
    )
    return 1 if bad or share > MOST_UNJUDGED else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    else:
        sys.exit(main(sys.argv[1:]))
