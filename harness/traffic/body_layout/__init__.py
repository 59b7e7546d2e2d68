"""Where a row's values stand in an encoded body."""
