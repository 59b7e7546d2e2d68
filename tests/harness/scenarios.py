"""Small scenario and rule files for the toy model, written where a test wants them."""

from pathlib import Path

RULES = """\
groups:
- name: toy
  rules:
  - alert: HighMean
    expr: rate(toy_x_sum[{window}]) / rate(toy_x_count[{window}]) > 0.9
    for: {for_}
  - alert: Down
    expr: up == 0
    for: {for_}
"""

_FILE = """\
import numpy as np
from driftdrill import Canary, Fault, Scenario, constant, control, everything_else, fires, pulse, quiet, resolves, step
from driftdrill import load
{imports}


def rows():
    x = np.linspace(0.0, 1.0, 201)
    return {{"x": x, "label": (x >= 0.5).astype(float)}}


def moved(batch, strength, rng):
    return {{**batch, "x": batch["x"] + 2.0 * strength}}


def nothing(batch, strength, rng):
    return batch


drill = Scenario(
{fields}
)
"""

VIRTUAL = {
    "name": "'x moves'",
    "story": "'A unit changes upstream.'",
    "rows": "rows",
    "truth": "'label'",
    "smallest_harm": "0.05",
    "rate": "constant(2)",
    "warm_up": "75",
    "baseline": "90",
    "fault": "150",
    "recovery": "135",
    "faults": "[Fault('x + 2', moved)]",
    "expect": "[fires('HighMean', within=120), resolves('HighMean'), quiet('Down')]",
    "rules": "['toy.yml']",
}
"""Fields of the scenario that holds in virtual time, as source text: some 900 requests."""

WALL = VIRTUAL | {
    "rate": "constant(20)",
    "warm_up": "3",
    "baseline": "3",
    "fault": "5",
    "recovery": "6",
    "clock": "'wall'",
    "late_after": "10",
    "scrape_interval": "1",
    "evaluation_interval": "1",
    "expect": "[fires('HighMean', within=5), resolves('HighMean'), quiet('Down')]",
}
"""The same on the wall clock, in 17 seconds; a machine that is busy with other tests may send late."""


def write(folder: Path, base: dict[str, str] = VIRTUAL, *, imports: str = "", **fields: str) -> Path:
    """Write drill.py and toy.yml; ``fields`` are source text and go over ``base``'s; ``imports`` are lines."""
    chosen = base | fields
    on_the_wall = chosen.get("clock") == "'wall'"
    rules = RULES.format(window="4s", for_="1s") if on_the_wall else RULES.format(window="1m", for_="30s")
    (folder / "toy.yml").write_text(rules)
    file = folder / "drill.py"
    file.write_text(
        _FILE.format(imports=imports, fields="\n".join(f"    {name}={text}," for name, text in chosen.items()))
    )
    return file
