"""A small web server on this machine that fails in the ways a test sets, and a registry that points at it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTENT = bytes(range(256)) * 40
"""What the file of the tests holds: 10 240 bytes."""
FILE = "small.safetensors"


@dataclass
class Behaviour:
    """How the server answers.

    Attributes:
        content: of the file.
        drops: after how many bytes of each of the first answers the connection is closed.
        statuses: answers before the first good one.
        ranges: whether it heeds Range.
        etag: of the file; "" for none.
        content_type: that the server states of the file.
        delay: seconds before each answer.
        sent: headers of every request, in order.
    """

    content: bytes = CONTENT
    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"one"'
    content_type: str = "application/octet-stream"
    delay: float = 0.0
    sent: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def requested_ranges(self) -> list[str | None]:
        """The Range header of every request."""
        return [headers.get("Range") for headers in self.sent]


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve on 127.0.0.1; yields the address without a path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # a client that went away
                answer(self, behaviour)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, behaviour: Behaviour) -> None:
    behaviour.sent.append(dict(handler.headers))
    behaviour.paths.append(handler.path)
    time.sleep(behaviour.delay)
    if behaviour.statuses:
        handler.send_error(behaviour.statuses.pop(0))
        return
    content, start = behaviour.content, 0
    wanted = handler.headers.get("Range")
    same = handler.headers.get("If-Range", behaviour.etag) == behaviour.etag
    if wanted and behaviour.ranges and same:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(content)}")
            handler.end_headers()
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    else:
        handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) - start))
    handler.send_header("Content-Type", behaviour.content_type)
    if behaviour.etag:
        handler.send_header("ETag", behaviour.etag)
    handler.end_headers()
    handler.wfile.write(
        content[start : start + behaviour.drops.pop(0)] if behaviour.drops else content[start:]
    )
    handler.close_connection = True


def registry_of(
    folder: Path,
    source: str,
    content: bytes = CONTENT,
    sha256: str | None = "",
    file: str = FILE,
    loader: str = "safetensors",
    size: int | None = None,
) -> Path:
    """A registry of one name, "small"; `sha256` "" is the true one, None is none."""
    entry = {
        "source": source,
        "file": file,
        "licence": "for tests",
        "size": size,
        "sha256": hashlib.sha256(content).hexdigest() if sha256 == "" else sha256,
        "loader": loader,
        "note": "a note",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "registry.json"
    path.write_text(json.dumps({"small": entry}))
    return path
