"""`make truth`: judge every entry of the table, and print what is told otherwise, and how many are not.

python -m tests.truth [WORD ...] judges the entries whose name has all of the words.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.truth.cases import OPEN, untold
from tests.truth.entry import wrong
from tests.truth.table import ENTRIES


def judged(at: int) -> list[str]:
    """What is told otherwise of one entry."""
    try:
        return wrong(ENTRIES[at])
    except Exception as e:  # a crash is no verdict
        return [f"{type(e).__name__}: {e}"]


def main(words: list[str]) -> int:
    """0 where all are told."""
    began = time.monotonic()
    chosen = [i for i, entry in enumerate(ENTRIES) if all(word in entry.name for word in words)]
    bad: set[int] = set()
    with ProcessPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for at, found in zip(chosen, pool.map(judged, chosen), strict=True):
            if found:
                bad.add(at)
                print(f"\n{ENTRIES[at].name}", *found, sep="\n  ")
    missing = untold()
    print(*missing, sep="\n")
    lies, well = ([i for i in chosen if ENTRIES[i].well is is_well] for is_well in (False, True))
    told, passed = (f"{len(set(of) - bad)} of {len(of)}" for of in (lies, well))
    print(*(f"open: {what}: {why}" for what, why in OPEN.items()), sep="\n")
    took = round(time.monotonic() - began)
    print(f"truth: {told} lies are told, {passed} that are well pass, {len(OPEN)} open until a later issue ({took} s)")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
