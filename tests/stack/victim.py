"""A service to be hurt: ``python victim.py PORT`` listens on 127.0.0.1 and answers GET.

/allocate?BYTES takes memory for the time of the answer; /open opens a file and says whether it could; /spawn starts
a child that lives as long as the service does.
"""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Each answer is one word."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        try:
            word = self._word(path, query)
        except (MemoryError, OSError) as e:
            word = type(e).__name__
        self.send_response(200)
        self.end_headers()
        self.wfile.write(word.encode())

    def _word(self, path: str, query: str) -> str:
        if path == "/allocate":
            return str(len(bytearray(int(query))))
        if path == "/open":
            os.close(os.open(os.devnull, os.O_RDONLY))
            return "opened"
        if path == "/spawn":
            return str(subprocess.Popen(["sleep", "60"]).pid)
        return str(os.getpid())

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer.allow_reuse_address = True
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("started", os.getpid(), os.environ.get("MARK", ""), flush=True)
server.serve_forever()
