# Found at the top of a checkout it would be a second copy, with classes of its own.
if __name__ != "driftdrill.stack":
    raise ImportError(
        f"this is driftdrill.stack; it must not be imported as {__name__}: write `from driftdrill.stack import …`",
        name=__name__,
    )
