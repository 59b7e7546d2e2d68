"""Real listening sockets with scripted behaviour, each connection served by a thread of its own."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

Handler = Callable[["Peer"], None]


@dataclass
class Peer:
    """The server's side of one connection."""

    sock: socket.socket
    server: "Listening"
    _buffer: bytes = b""

    def request(self) -> bytes | None:
        """The next whole request's body, or None when the client has closed."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._buffer += data
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        lengths = (h.split(b":")[1] for h in head.split(b"\r\n") if h.lower().startswith(b"content-length"))
        size = int(next(lengths, b"0"))  # a GET has none
        parts, have = [rest], len(rest)
        while have < size:
            data = self.sock.recv(1 << 20)
            if not data:
                return None
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        body, self._buffer = whole[:size], whole[size:]
        self.server.heads.append(head)
        return body

    def send(self, data: bytes) -> None:
        """Send it all."""
        self.sock.sendall(data)

    def reply(self, body: bytes = b"{}", status: int = 200, headers: str = "") -> None:
        """A plain response with a length."""
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode() + body)

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()


@dataclass
class Listening:
    """A server; ``heads`` are the heads of the requests it read, ``connections`` how many it accepted."""

    url: str
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    ending: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def listening(handler: Handler, context: ssl.SSLContext | None = None) -> Iterator[Listening]:
    """Serve every connection with ``handler`` until the block is left; port 0, loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if context else "http"
    server = Listening(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    peers: list[socket.socket] = []

    def one(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(sock):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(20)
            handler(Peer(context.wrap_socket(sock, server_side=True) if context else sock, server))

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            peers.append(sock)
            threading.Thread(target=one, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        server.ending.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in peers:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def always(body: bytes = b'{"prediction": 0.5}', status: int = 200, headers: str = "") -> Handler:
    """Answer every request alike, on a kept connection."""

    def handler(peer: Peer) -> None:
        while peer.request() is not None:
            peer.reply(body, status, headers)

    return handler


def tunnelling(peer: Peer) -> None:
    """A proxy that opens the tunnels it is asked for with CONNECT."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (more := peer.sock.recv(1)):
            return
        head += more
    peer.server.heads.append(head)
    host, _, port = head.split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as there:
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(there, peer.sock), daemon=True)
        back.start()
        _pump(peer.sock, there)
        back.join(20)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for 127.0.0.1 and the server's context with it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context
