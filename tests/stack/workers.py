"""A service of several processes: ``python workers.py shared|reuse PORT N``; each answers GET with its process id.

``shared``: the parent listens, and its workers take connections from its socket. ``reuse``: each worker has a socket of
its own for the same port (SO_REUSEPORT), and the parent has none. A worker that ends has a successor at once.
"""

import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """One word."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

    def log_message(self, *_: object) -> None:
        pass


def listener(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen(64)
    return made


def work(listening: socket.socket) -> None:
    server = HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.serve_forever()


how, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shared = listener(port) if how == "shared" else None
alive = 0
while True:
    if alive < count:
        alive += 1
        if not os.fork():
            work(shared or listener(port))
        continue
    os.wait()
    alive -= 1
