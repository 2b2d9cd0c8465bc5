"""The real MONAI Label server, on loopback, and what waits for it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from monailabel.client import MONAILabelClient

from tests.served import ROOT

Found = TypeVar("Found")


@contextmanager
def serve(app: Path, studies: Path, log: Path, *conf: str) -> Iterator[MONAILabelClient]:
    """A running server; gives its client."""
    with serving(
        [sys.executable, "-m", "monailabel.main", "start_server", "--app", app, "--studies", studies],
        log,
        *("--host", "127.0.0.1"),
        *(c for pair in zip(conf[::2], conf[1::2]) for c in ("--conf", *pair)),
    ) as client:
        yield client


@contextmanager
def serving(command: list[str | Path], log: Path, *more: str) -> Iterator[MONAILabelClient]:
    """What a command that takes ``--port`` serves."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    with log.open("w") as out:
        server = subprocess.Popen(
            [*map(str, command), *more, "--port", str(port)],
            cwd=log.parent,
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        client = MONAILabelClient(f"http://127.0.0.1:{port}", tmpdir=str(log.parent))
        _wait_for(client, server, log)
        yield client
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(client: MONAILabelClient, server: subprocess.Popen, log: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            client.info()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"the server did not answer in {seconds} s:\n{log.read_text()[-3000:]}")


def until(look: Callable[[], Found | None], what: str, seconds: float = 180) -> Found:
    """What `look` finds, as soon as it finds something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not in {seconds} s")
