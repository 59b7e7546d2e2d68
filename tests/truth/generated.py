"""Generated rules over generated pages: what is judged virtually against what a live Prometheus made of them.

    python -m tests.truth.generated [--seed N] [--rules N]

The pages and the rules of tests/harness/judge/live.py are put otherwise; all else, and what a race is, is as there.
Left out: rules that read the clock or the future, which are not judged, and subqueries, which are aligned to the
recording's beginning and not to 1970. Exit code 1 where an alert differs, 3 where a race touched all copies.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from driftdrill.harness.judge.engine.evaluate import evaluate
from driftdrill.harness.judge.engine.fold import from_server, live_phases
from driftdrill.harness.judge.rules.analysed import analyse
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import Promtool, check_loaded, find_binary, find_promtool, version_of
from driftdrill.stack.rules.files import parse
from tests.harness.judge import live
from tests.harness.judge.expressions import EXPRESSIONS
from tests.harness.judge.test_conformance import intervals
from tests.stack.scrape.page_server import Page, page_server

HEAD = """
groups:
- name: alerts-{c}
  rules:
  - {{record: evaluated, expr: vector(1), labels: {{copy: '{c}', group: alerts}}}}
"""


def expressions(number: int, chosen: int, promtool: Promtool) -> list[str]:
    """So many expressions that the engine loads and that read no clock; ranges as short as the pages live."""
    found: list[str] = []

    @seed(chosen)
    @settings(
        max_examples=20 * number,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(EXPRESSIONS)
    def draw(expr: str) -> None:
        if len(found) >= number:
            return
        short = re.sub(
            r"\b(15s|5m|1h30m|1500ms)\b", lambda m: {"15s": "3s", "5m": "6s", "1h30m": "9s"}.get(m[1], "1500ms"), expr
        )
        plain = (
            short.isprintable()
            and short.isascii()
            and not re.search(r"[{}'%\\]", re.sub(r'\{[a-z=~!". ,|*\d]*\}', "", short))
        )
        if (
            not plain
            or ("[" in short and re.search(r"\[\w+:", short))
            or analyse(short).reads_clock
            or "offset -" in short
            or short in found
        ):
            return
        try:
            check_loaded(promtool, parse(f"groups: [{{name: g, rules: [{{alert: A, expr: '{short}'}}]}}]", "g.yml"))
        except StackError:
            return
        found.append(short)

    draw()
    return found


def rules(exprs: list[str], rng: random.Random) -> str:
    """The rules of one copy; each alert with a `for` and a keep_firing_for of its own."""
    out = HEAD
    for i, expr in enumerate(exprs):
        braces = expr.replace("{", "{{").replace("}", "}}")
        fields = f"for: {rng.choice([0, 0, 1, 2, 4])}s, keep_firing_for: {rng.choice([0, 0, 3])}s"
        fields += ", labels: {{copy: '{c}'}}"
        out += f"  - {{{{alert: A{i}, expr: '{braces}', {fields}}}}}\n"
    return out


def pages(chosen: int):  # type: ignore[no-untyped-def]
    """Page k of a replica: series that come, go, fall and are NaN, by the seed."""

    def page(replica: str, k: int) -> Page:
        rng = random.Random(f"{chosen} {replica} {k}")
        if rng.random() < 0.06:
            return Page(b"no", status=500)
        lines = []
        for le in ("0.5", "1.0", ""):
            label = f'{{le="{le}"}}' if le else ""
            if rng.random() < 0.85:
                lines.append(f"x_total{label} {rng.choice([k, k, k, 2 * k, k % 9, 0])}")
            if rng.random() < 0.85:
                lines.append(f"job:x:rate5m{label} {rng.choice(['0', '1', '0.25', '-3', 'NaN', '+Inf', '9'])}")
        return Page("\n".join([*lines, ""]).encode())

    return page


def main() -> int:
    """Generate, run, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="default: another one each time"
    )
    parser.add_argument("--rules", type=int, default=40, help="how many")
    options = parser.parse_args()
    promtool, binary = find_promtool(), find_binary("prometheus")
    if binary is None:
        print("no prometheus on PATH", file=sys.stderr)
        return 2
    exprs = expressions(options.rules, options.seed, promtool)
    live.RULES, live.READS = rules(exprs, random.Random(options.seed)), {"alerts": ()}
    live.page = pages(options.seed)
    major = version_of(binary).partition(".")[0]
    with tempfile.TemporaryDirectory() as made, page_server() as served:
        with live.started(Path(binary), major, served, Path(made)) as server:
            one = live.fetched(server, major, served, Path(made), time.time())
        if not one.copies:
            print(f"seed {options.seed}: every copy of the rules was touched by a race; try again on a quieter machine")
            return 3
        bad, active = 0, 0
        for copy in one.copies[:2]:
            known, (start, end) = one.rules(copy), one.window(copy)
            got = evaluate(
                one.samples, known, promtool, end=end, interval=1.0, phases=live_phases(one.served(copy), known)
            )
            ours = intervals(got.alerts, start, end)
            theirs = intervals(from_server(one.served(copy), known, 1.0), start, end)
            active += len(theirs)
            for key in sorted(ours.keys() | theirs.keys()):
                if ours.get(key) != theirs.get(key):
                    bad += 1
                    name = dict(key)["alertname"]
                    print(f"{name}: {exprs[int(name[1:])]}\n  {dict(key)}")
                    print(f"  judged {ours.get(key)}\n  live   {theirs.get(key)}")
    print(f"generated (seed {options.seed}): {len(exprs)} rules, {active} alerts were active, {bad} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
