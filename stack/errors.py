"""The one error of this layer, with a remedy; the harness prints it like its own."""


class StackError(Exception):
    """Something in the rig could not be started, reached or read.

    ``hint`` is the remedy in one line; ``where`` is a file:line, an address, or None.
    """

    def __init__(self, cause: str, *, hint: str | None = None, where: str | None = None) -> None:
        super().__init__(f"{where}: {cause}" if where else cause)
        self.cause, self.hint, self.where = cause, hint, where
