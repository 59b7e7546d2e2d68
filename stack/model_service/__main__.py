"""``python -m driftdrill.stack.model_service --port 8000``: the demo model in the foreground, on 127.0.0.1 only."""

import argparse
import json
import os
import secrets
import socket
import sys
from collections.abc import Callable

from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service.model import EARLIER_VERSION, Model, cached, load
from driftdrill.stack.model_service.own_process import give_up

KEEP_ALIVE_SECONDS = 600  # longer than any pause of a drill: a connection that both sides think open never fails
GRACE_SECONDS = 1
TOKEN = "DRIFTDRILL_ADMIN_TOKEN"


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM. Exit code 2: could not start."""
    parser = argparse.ArgumentParser(
        prog="python -m driftdrill.stack.model_service",
        description="The demo model: will this flight land 15 minutes late or more? Listens on 127.0.0.1 only.",
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--announce", action="store_true", help="print the address as one line of JSON, for a program")
    parser.add_argument(
        "--admin",
        action="store_true",
        help=f"an interface to misconfigure the model; token from ${TOKEN} or made up",
    )
    options = parser.parse_args(arguments)
    token = (os.environ.get(TOKEN) or secrets.token_urlsafe(24)) if options.admin else None
    try:
        listener = _listen(options.port)
        if not options.announce and cached() is None:
            print("training the model, once", flush=True)
        model = load()
        serve = _server(model, token)
    except StackError as e:
        if options.announce:
            return give_up(e)
        print(f"error: {e}" + (f"\nhint: {e.hint}" if e.hint else ""), file=sys.stderr)
        return 2
    tell = _announce if options.announce else _greet
    tell(model, f"http://127.0.0.1:{listener.getsockname()[1]}", token)
    try:
        serve(listener)
    except KeyboardInterrupt:
        return 130
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
    # From here on a connection waits in the backlog until it is served, so the address may be told at once.
    listener.listen(2048)
    return listener


def _server(model: Model, token: str | None) -> Callable[[socket.socket], None]:
    """Everything that can fail before serving; the function returned serves until a signal ends it."""
    # Inherited from a multi-process server, it would make the metrics of this one share its files.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    os.environ.pop("prometheus_multiproc_dir", None)
    try:
        import uvicorn

        from driftdrill.stack.model_service.app import create_app
    except ImportError as e:
        raise StackError(f"the demo model cannot be served: {e}", hint="pip install 'driftdrill[demo]'") from e
    config = uvicorn.Config(
        create_app(model, earlier=load(EARLIER_VERSION) if token else None, token=token),
        access_log=False,
        log_level="warning",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return lambda listener: uvicorn.Server(config).run(sockets=[listener])


def _announce(model: Model, url: str, token: str | None) -> None:
    told = {"url": url, "pid": os.getpid(), "version": model.version, "auc": model.auc, "admin_token": token}
    print(json.dumps(told), flush=True)


def _greet(model: Model, url: str, token: str | None) -> None:
    from driftdrill.stack.model_service.app import EXAMPLE

    print(f"model {model.version}, AUC {model.auc:.3f} on September's flights, listens on {url}")
    print(f"curl {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(EXAMPLE)}'", flush=True)
    if token:
        given = f"${TOKEN}" if os.environ.get(TOKEN) else token
        print(f'curl {url}/admin/switches -H "Authorization: Bearer {given}"', flush=True)


if __name__ == "__main__":
    sys.exit(main())
