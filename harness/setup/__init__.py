"""What a drill is set up from: the options, driftdrill.toml, the target, and the hosts that may be drilled."""
