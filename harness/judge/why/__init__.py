"""Why an alert was silent: each check a file, a name and a page in docs/why/."""

from driftdrill.harness.judge.why.catalogue import CHECKS, SilenceCheck, could_carry, labels_of, reasons
from driftdrill.harness.judge.why.seen import Seen

__all__ = ["CHECKS", "Seen", "SilenceCheck", "could_carry", "labels_of", "reasons"]
