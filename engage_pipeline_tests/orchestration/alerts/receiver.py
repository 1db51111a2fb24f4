"""A webhook's receiver on 127.0.0.1 that keeps what it gets, and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """`answers`: a status for each request, the last one for all that follow; "hang" answers never, "drip" slowly."""

    url: str = ""
    answers: list[Any] = field(default_factory=lambda: [200])
    got: list[tuple[str, str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def receiver(*answers: Any) -> Iterator[Receiver]:
    """A running receiver, with the path, content type and JSON of each request in `got`."""
    found = Receiver(answers=list(answers) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            if answer == "hang":
                found.ended.wait(30)
            elif answer == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not found.ended.is_set():
                    time.sleep(0.05)
                    self.wfile.write(b"X-Slow: 1\r\n")
            else:
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

        def do_GET(self) -> None:
            found.got.append((self.path, "redirected", None))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        found.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/engage"
        yield found
        found.ended.set()
        server.shutdown()
