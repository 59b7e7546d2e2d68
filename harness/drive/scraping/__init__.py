"""What Prometheus would store of a scrape, at times that the drive chooses."""
