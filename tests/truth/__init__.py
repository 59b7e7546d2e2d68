"""A table of lies: recordings, rules and expectations, each with the words that a verdict must give. `make truth`."""
