"""What a rule reads, how far back, and against which threshold."""
