"""The narrow waist: what a drive leaves behind, and all that judging reads."""
