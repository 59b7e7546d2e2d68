"""``python -m stack.model_service --port 8000``: the demo model in the foreground, on 127.0.0.1 only."""

import argparse
import json
import os
import socket
import sys
import threading

import uvicorn

from stack.errors import StackError
from stack.model_service.app import EXAMPLE, create_app
from stack.model_service.model import load

KEEP_ALIVE_SECONDS = 600  # longer than any pause of a drill: a connection that both sides think open never fails
GRACE_SECONDS = 1


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C, SIGTERM, or (``--held``) the end of standard input. Exit code 2: could not start."""
    parser = argparse.ArgumentParser(prog="python -m stack.model_service", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--held", action="store_true", help="tell the port as JSON, and end when standard input closes")
    options = parser.parse_args(arguments)
    try:
        model = load()
        listener = _listen(options.port)
    except StackError as e:
        if options.held:
            print(json.dumps({"error": str(e), "hint": e.hint}), flush=True)
        else:
            print(f"error: {e}\nhint: {e.hint}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        create_app(model),
        access_log=False,
        log_level="warning",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    port = listener.getsockname()[1]
    if options.held:
        threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
        print(json.dumps({"port": port, "version": model.version, "auc": model.auc}), flush=True)
    else:
        url = f"http://127.0.0.1:{port}"
        print(f"model {model.version}, AUC {model.auc:.3f} on September's flights, listens on {url}")
        print(f"curl {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(EXAMPLE)}'", flush=True)
    server.run(sockets=[listener])
    return 0


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it. Without it the body of each answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as e:
        listener.close()
        raise StackError(
            f"cannot listen on 127.0.0.1:{port}: {getattr(e, 'strerror', None) or e}",
            hint="choose another port; 0 takes a free one",
        ) from e
    listener.listen(2048)
    return listener


def _end_with_stdin(server: uvicorn.Server) -> None:
    """The control pipe: its other end closes when the drill ends, however it ends."""
    while os.read(0, 4096):
        pass
    server.should_exit = True
    # A request that never finishes must not keep this process alive.
    threading.Event().wait(2 * GRACE_SECONDS + 1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
