"""From what a user asked for to a drill that can begin: settings, driftdrill.toml, target, hosts, proxies."""
