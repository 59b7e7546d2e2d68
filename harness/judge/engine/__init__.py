"""Rules over recorded samples, evaluated; and the one fold that makes a timeline of what came out."""
