"""Metrics pages: the one grammar of what Prometheus reads, and a parser that knows pages it saw before."""
