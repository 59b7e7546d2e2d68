"""What an author writes: scenario, rate, faults, expectations, canary. Pure values; loading one does no work."""
