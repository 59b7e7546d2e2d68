"""How large a shift is, and how to make one of an exact size."""
