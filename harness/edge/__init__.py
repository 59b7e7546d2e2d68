"""Edge cases, each sent once: what a service makes of them, and a search for the smallest that breaks it."""
