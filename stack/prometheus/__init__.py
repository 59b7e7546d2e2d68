"""Prometheus and promtool: found, started, configured, asked."""
