# Found at the top of a checkout it would be a second copy, with classes of its own.
if __name__ != "driftdrill.scenarios":
    raise ImportError(
        f"this is driftdrill.scenarios; it must not be imported as {__name__}: "
        "write `from driftdrill.scenarios import …`",
        name=__name__,
    )
