"""The demo model: will this flight land 15 minutes late or more? Importing this loads neither a server nor numpy."""

from driftdrill.stack.model_service.service import Service, serve, serve_replicas, starting

__all__ = ["Service", "serve", "serve_replicas", "starting"]
