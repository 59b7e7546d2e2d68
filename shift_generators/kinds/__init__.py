"""Every kind of shift, a pure function on a batch; one file a family."""
