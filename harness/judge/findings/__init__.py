"""What a verdict says: validity, responses, harm, load, and what limits each."""
