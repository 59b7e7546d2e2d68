"""What the pytest plug-in costs a suite that has no drills: its import, in a Python that has imported pytest.

    python -m benchmarks.plugin [--rounds 20]

Bar: less than 20 ms of CPU, the median over fresh processes. Exit code 1 where it is missed. The whole of an empty run
with and without the plug-in differs by less than two such runs do, so it is not what is measured.
"""

import argparse
import os
import statistics
import subprocess
import sys

from benchmarks.virtual import ROOT

BAR = 20.0
"""Milliseconds."""
IMPORTS = """
import time
began = time.process_time()
import pytest
between = time.process_time()
import driftdrill.pytest_plugin
print(1e3 * (between - began), 1e3 * (time.process_time() - between))
"""


def once() -> tuple[float, float]:
    """Milliseconds of CPU of importing pytest, and then of importing the plug-in."""
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    pytest, plugin = map(float, done.stdout.split())
    return pytest, plugin


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    once()  # what is compiled is compiled once
    pytest, plugin = (statistics.median(each) for each in zip(*(once() for _ in range(options.rounds)), strict=True))
    load = f"[load {os.getloadavg()[0]:.1f}]"
    print(f"importing pytest: {pytest:.0f} ms of CPU; the plug-in then: {plugin:.1f} ms, {plugin / pytest:.1%} of that")
    print(f"{'held  ' if plugin < BAR else 'MISSED'}  {plugin:.1f} ms of {BAR:g}  {load}")
    return 0 if plugin < BAR else 1


if __name__ == "__main__":
    sys.exit(main())
