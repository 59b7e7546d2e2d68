"""What the pages say, by family."""

from docs.faults.entries import edge, mis, mon, sys
from docs.faults.entry import Entry

ENTRIES: tuple[Entry, ...] = (*edge.ENTRIES, *mis.ENTRIES, *sys.ENTRIES, *mon.ENTRIES)

__all__ = ["ENTRIES", "Entry"]
