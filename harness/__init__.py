"""driftdrill's harness: what a scenario author writes, and what carries it out."""
