"""A recording meets the rules. ``from harness.judge import judge``."""

from harness.judge.judge import judge

__all__ = ["judge"]
