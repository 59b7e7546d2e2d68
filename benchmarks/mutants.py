"""What mutants cost: the demo's rules under the two recordings of docs/example, beside a run of promtool for each.

    python -m benchmarks.mutants [--engine PATH] [--alone 12]

Bars: all mutants in 60 s; one costs at most a tenth of what it costs in a run of its own (CPU, this machine, one after
the other; so a ratio that holds on a busy machine too). Exit code 1 where one is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.virtual import ROOT, children, driftdrill, timed
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.judge import with_alerts
from driftdrill.harness.judge.mutants.mutate import as_they_are
from driftdrill.harness.judge.mutants.operators import mutants
from driftdrill.harness.judge.mutants.trials import alone
from driftdrill.harness.recording.reader import open_recording
from driftdrill.reports.data.mutation import from_json
from driftdrill.stack.prometheus.promtool import find_binary, find_promtool
from driftdrill.stack.rules.files import load_rule_files

RULES = ROOT / "driftdrill" / "scenarios" / "rules" / "demo.yml"
RECORDINGS = sorted((ROOT / "docs" / "example" / "recordings").glob("*.drill"))
WITHIN, SHARE = 60.0, 0.1


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--engine", default=find_binary("promtool"), help="default: %(default)s")
    parser.add_argument("--alone", type=int, default=12, help="mutants to evaluate in a run of their own")
    options = parser.parse_args()
    promtool = find_promtool(binary=options.engine)
    print(f"promtool {promtool.version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as made:
        told = Path(made, "all.json")
        given = ["mutate", *RECORDINGS, "--rules", RULES, "--engine", options.engine, "--json", told]
        before = children()
        seconds, _ = timed(driftdrill(*given))
        used = children() - before
        found = from_json(told.read_bytes())
    count = found.counts
    print(f"{len(found.mutants)} mutants, {len(RECORDINGS)} recorded hours: {seconds:.1f} s, {used:.1f} s of CPU")
    print(f"{count['KILLED']} killed; a mutant that one recording kills is not tried on the next")

    rules = with_alerts(load_rule_files([RULES]))
    every = [m for known in rules.known for m in mutants(known.rule)]
    (clean,) = as_they_are([Drill(open_recording(RECORDINGS[0]))], rules, promtool)
    chosen = every[:: max(1, len(every) // options.alone)]
    before, began = children() + time.process_time(), time.perf_counter()
    for mutant in chosen:
        alone(clean, mutant, promtool)
    each = (children() + time.process_time() - before) / len(chosen)
    took = (time.perf_counter() - began) / len(chosen)
    tried = len(found.mutants) + sum(m.recording != RECORDINGS[0].name or m.fate != "KILLED" for m in found.mutants)
    share = used / tried / each
    print(f"one in a run of its own: {took:.2f} s, {each:.2f} s of CPU; among the others {used / tried:.3f} s of CPU")
    held = seconds <= WITHIN and share <= SHARE
    load = f"[load {os.getloadavg()[0]:.1f}]"
    print(f"{'held  ' if held else 'MISSED'}  {seconds:.1f} s of {WITHIN:g}, {share:.1%} of {SHARE:.0%}  {load}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
