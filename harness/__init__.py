"""driftdrill's harness: what carries a scenario out. An author's words are in ``driftdrill`` itself."""

# Found at the top of a checkout it would be a second copy, with classes of its own.
if __name__ != "driftdrill.harness":
    raise ImportError(
        f"this is driftdrill.harness; it must not be imported as {__name__}: write `from driftdrill import …`",
        name=__name__,
    )
