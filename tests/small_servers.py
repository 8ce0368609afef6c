"""A model behind a URL of this machine, and servers that answer as none should."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
from numpy.typing import NDArray

Reply = tuple[int, bytes]
Served = Callable[[NDArray[np.float32]], Reply]


def reply(**content: object) -> Reply:
    return 200, json.dumps(content).encode()


@contextmanager
def served(answer: Served, pause_s: float = 0.0) -> Iterator[str]:
    """The URL of a server that answers inputs with a status and a body, byte by byte if slow."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = answer(np.array(json.loads(body)["inputs"], np.float32))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                for byte in content if pause_s else ():
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(pause_s)
                self.wfile.write(b"" if pause_s else content)
            except OSError:  # whoever asked has gone
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
