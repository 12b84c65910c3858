"""Serving the figures of one store to Prometheus, on this machine alone."""

import http.server
from collections.abc import Callable

from stmpy.errors import StmError
from stmpy.statistics import Stats, StoreGone, prometheus


def serve(read: Callable[[], Stats], port: int) -> int:
    """Answers `GET /metrics` until the store is gone, which it raises."""
    gone: list[StoreGone] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            try:
                text = prometheus(read()).encode()
            except StmError as error:
                if isinstance(error, StoreGone):
                    gone.append(error)
                self.send_error(503, str(error))
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: it is asked every few seconds."""

    with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/metrics", flush=True)
        while not gone:
            server.handle_request()
    raise gone[0]
