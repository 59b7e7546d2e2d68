"""Whether a server that was stopped really answers nobody, asked from outside; and whether it answers again after."""

import socket
import time
from contextlib import suppress

NO_REQUEST = b"?\r\n\r\n"
"""Whoever reads this answers 400 or closes the connection; no code of the model's runs, and no counter of it counts."""
KNOWN = 2.0
"""Seconds in which a server that runs must have answered, for its silence to mean anything later."""
LOOK = 0.5
"""Seconds that a stopped server is given to answer all the same."""
AGAIN = 20.0
"""Seconds in which a server that was continued must answer."""


class Knock:
    """One connection to ``host:port`` that holds no request: a server that lives answers it, or closes it."""

    def __init__(self, host: str, port: int) -> None:
        self._socket: socket.socket | None = None
        with suppress(OSError):
            self._socket = socket.create_connection((host, port), timeout=LOOK)
            self._socket.sendall(NO_REQUEST)

    def answered(self, within: float) -> bool:
        """Whether something came back, or does within so many seconds. A refused connection is no answer."""
        if self._socket is None:
            return False
        self._socket.settimeout(max(0.001, within))
        try:
            self._socket.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()


def answers(host: str, port: int, within: float) -> bool:
    """Whether a server at ``host:port`` answers within so many seconds; asked again where it closes at once."""
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        knock = Knock(host, port)
        try:
            if knock.answered(min(left, KNOWN)):
                return True
        finally:
            knock.close()
        time.sleep(min(left, 0.05))
    return False
