"""Rule files as values, each rule with its line."""
