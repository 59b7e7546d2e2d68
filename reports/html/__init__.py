"""The verdict as one self-contained page."""

from driftdrill.reports.html.page import render

__all__ = ["render"]
