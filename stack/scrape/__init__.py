"""A scrape, as Prometheus makes it: configuration, discovery, relabelling, the GET, the page and its faults."""
