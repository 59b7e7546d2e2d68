"""Rows to shift: of a file, or made from a law that is known."""
