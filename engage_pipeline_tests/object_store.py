"""Buckets of stores on this machine, and a network before a store that can be cut."""

import http.client
import http.server
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engage_pipeline.locations import location, object_stores
from engage_pipeline.locations.location import ObjectPath
from engage_pipeline_tests.stores import S3, Store

_BLOCK = 1 << 14
_HOP_BY_HOP = {"connection", "transfer-encoding", "date", "server"}


def forget_connections() -> None:
    """Makes this process read the environment, list the folders and ask the stores anew."""
    object_stores.file_system.cache_clear()
    object_stores._unreachable.clear()
    location._listed.clear()


class Bucket:
    """A bucket of the server at `url`, which is made."""

    def __init__(self, url: str, name: str, store: Store = S3) -> None:
        self.uri = f"{store.scheme}://{name}"
        self.store = store
        self._name = name
        self._system = store.open(url)
        self._system.create_dir(name)

    def put(self, key: str, content: bytes) -> str:
        """Makes or replaces an object; returns its URI."""
        with self._system.open_output_stream(f"{self._name}/{key}", compression=None) as file:
            file.write(content)
        location._listed.clear()
        return f"{self.uri}/{key}"

    def put_folder(self, key: str, folder: Path) -> str:
        """Makes an object of each file below `folder`; returns the URI of the folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.uri}/{key}"

    def get(self, key: str) -> bytes:
        """The content of an object."""
        with self._system.open_input_stream(f"{self._name}/{key}", compression=None) as file:
            return bytes(file.read())

    def all_keys(self) -> list[str]:
        """The keys of all objects."""
        from pyarrow.fs import FileSelector

        found = self._system.get_file_info(FileSelector(self._name, recursive=True))
        return sorted(one.path.removeprefix(f"{self._name}/") for one in found if one.is_file)

    def remove(self, key: str) -> None:
        """Removes an object."""
        self._system.delete_file(f"{self._name}/{key}")
        location._listed.clear()


def object_path(uri: str) -> ObjectPath:
    """The object that a URI names."""
    found = location.location(uri)
    assert isinstance(found, ObjectPath)
    return found


class Gate:
    """An HTTP server before the one at `url` that passes requests on, and knows each.

    `requests` are method and key (without bucket) of those that came. Once it is to refuse, it calls `at_limit`, and
    refuses all from then on (403, which clients do not try again).
    """

    def __init__(self, url: str) -> None:
        self.requests: list[tuple[str, str]] = []
        self._closes: Callable[[str, str], bool] = lambda *_: False
        self._closed = False
        self.at_limit: Callable[[], object] = lambda: None
        self._target = urlsplit(url).netloc
        gate, lock = self, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with suppress(ConnectionError):
                    super().handle_one_request()

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                pieces = []
                while size := int(self.rfile.readline(), 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def do_any(self) -> None:
                body = self._body()
                with lock:
                    key = urlsplit(self.path).path.split("/", 2)[-1]
                    gate.requests.append((self.command, key))
                    if not gate._closed and gate._closes(self.command, key):
                        gate._closed = True
                        gate.at_limit()
                    refused = gate._closed
                status, headers, content = (403, [], b"") if refused else gate._passed_on(self, body)
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if refused:
                    self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - the base's names

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _passed_on(
        self, asked: http.server.BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._target)
        try:
            headers = {name: value for name, value in asked.headers.items() if name.lower() != "expect"}
            chunked = headers.get("Transfer-Encoding", headers.get("transfer-encoding")) == "chunked"
            connection.request(asked.command, asked.path, [body] if chunked else body, headers, encode_chunked=chunked)
            answer = connection.getresponse()
            content = answer.read()
            passed = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
            if not any(name.lower() == "content-length" for name, _ in passed):
                passed.append(("Content-Length", str(len(content))))
            return answer.status, passed, content
        finally:
            connection.close()

    def open(self) -> None:
        """Passes everything on again, and forgets what came."""
        self.refuse_if(lambda *_: False)

    def refuse_if(self, closes: Callable[[str, str], bool]) -> None:
        """Refuses the first request of such a method and key, and all after it; forgets what came."""
        self.requests.clear()
        self._closes, self._closed = closes, False

    def refuse_from(self, number: int) -> None:
        """Refuses the request of this number, from 1, and all after it; forgets what came."""
        self.refuse_if(lambda *_: len(self.requests) >= number)

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


class Network:
    """A TCP relay to the server at `url`. `cuts`: the connections that it has cut in the middle."""

    def __init__(self, url: str) -> None:
        self.cuts = 0
        self._limit: int | None = None
        self._once = False
        self._brought = 0
        self._target = ("127.0.0.1", urlsplit(url).port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, limit: int, *, once: bool = False) -> None:
        """Cuts the connection that has brought `limit` bytes from now on, all together, and, unless `once`, refuses
        others."""
        self._limit, self._once, self._brought, self.cuts = limit, once, 0, 0

    def mend(self) -> None:
        """Lets everything pass again."""
        self._limit = None

    def close(self) -> None:
        """Ends it."""
        self._listener.close()
        for one in self._open:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.cuts and self._limit is not None:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._open += [client, server]
                threading.Thread(target=self._relay, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._relay, args=(server, client, True), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                self._brought += len(data) if counted else 0
                if counted and self._limit is not None and self._brought > self._limit:
                    self.cuts += 1
                    self._limit = None if self._once else self._limit
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
