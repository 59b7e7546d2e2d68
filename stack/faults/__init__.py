"""Faults of what runs: networks, processes, metrics pages, scrape jobs. Each is a value; holding one undoes it."""
