"""python -m benchmarks [NAME ...]: run the benchmarks, each in a process of its own, and name those that failed."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
KNOWN = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, all by default."""
    unknown = [name for name in wanted if name not in KNOWN]
    if unknown:
        print(f"no benchmark is named {', '.join(unknown)}; known: {', '.join(KNOWN)}", file=sys.stderr)
        return 2
    failed = []
    for name in wanted or KNOWN:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=HERE.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
