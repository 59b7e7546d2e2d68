"""A recording meets the rules. ``from driftdrill.harness.judge import judge``."""

from driftdrill.harness.judge.judge import judge

__all__ = ["judge"]
