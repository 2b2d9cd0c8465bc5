"""Fetching: what came is kept, what is wrong is refused, one line says why. The server is on this machine."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from monai_ext.errors import WeightsError
from monai_ext.weights import fetch as fetching
from monai_ext.weights import store
from monai_ext.weights.fetch import fetch, url_of
from monai_ext.weights.load import weights_file
from monai_ext.weights.registry import read_registry
from tests.weights.server import CONTENT, FILE, Behaviour, registry_of, serving

SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder of its own for what is fetched, and no waiting between tries."""
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    return tmp_path / "home" / "weights" / "small"


def kept(home: Path) -> dict[str, bytes]:
    """Files of the entry, without the lock that processes hold and the record."""
    return {p.name: p.read_bytes() for p in sorted(home.iterdir()) if p.name not in (".lock", "lock.json")}


@pytest.fixture
def server():
    """How the server behaves, and its address."""
    behaviour = Behaviour()
    with serving(behaviour) as address:
        yield behaviour, address


def test_a_file_is_described_downloaded_verified_and_recorded(tmp_path, home, server):
    behaviour, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    lines: list[str] = []
    steps: list[tuple[int, int | None]] = []
    path = fetch("small", None, registry, lines.append, lambda done, total: steps.append((done, total)))
    assert path == home / FILE
    assert kept(home) == {FILE: CONTENT}
    assert lines == [f"small: {FILE}, 10.2 kB, licence for tests"]
    assert steps[-1] == (10240, 10240)
    assert json.loads((home / "lock.json").read_text()) == {"sha256": SHA256, "size": 10240, "converted": ""}
    assert store.verify("small", read_registry(registry)["small"]).sha256 == SHA256
    assert weights_file("small", registry) == path
    assert behaviour.requested_ranges == [None]


def test_what_is_there_and_right_is_not_downloaded_again(tmp_path, server):
    behaviour, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    fetch("small", registry=registry)
    assert fetch("small", registry=registry).read_bytes() == CONTENT
    assert len(behaviour.sent) == 1


def test_what_is_there_and_damaged_is_downloaded_again_and_said_so(tmp_path, home, server):
    behaviour, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    fetch("small", registry=registry)
    (home / FILE).write_bytes(CONTENT[:-1] + b"x")
    lines: list[str] = []
    fetch("small", registry=registry, report_line=lines.append)
    assert kept(home) == {FILE: CONTENT}
    assert lines[0] == f"small: {FILE} is there, but damaged or another file; it is fetched again."
    assert behaviour.requested_ranges == [None, None]


def test_a_dropped_connection_is_taken_up_where_it_broke(tmp_path, home, server):
    behaviour, address = server
    behaviour.drops = [5000, 1000]
    lines: list[str] = []
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"), report_line=lines.append)
    assert behaviour.requested_ranges == [None, "bytes=5000-", "bytes=6000-"]
    assert [headers.get("If-Range") for headers in behaviour.sent] == [None, '"one"', '"one"']
    assert kept(home) == {FILE: CONTENT}
    assert len(lines) == 1


def test_a_connection_that_brings_nothing_new_is_given_up_and_the_partial_file_kept(tmp_path, home, server):
    behaviour, address = server
    behaviour.drops = [5000, 0, 0, 0]
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    with pytest.raises(
        WeightsError, match="the connection was lost after 5.0 kB of 10.2 kB; 5.0 kB are kept"
    ):
        fetch("small", registry=registry)
    assert behaviour.requested_ranges == [None, *["bytes=5000-"] * 3]
    assert kept(home) == {f"{FILE}.partial": CONTENT[:5000], f"{FILE}.partial.etag": b'"one"'}
    behaviour.drops = []
    fetch("small", registry=registry)  # the same command goes on
    assert behaviour.requested_ranges[-1] == "bytes=5000-"
    assert kept(home) == {FILE: CONTENT}


def test_a_partial_file_of_another_version_is_not_continued(tmp_path, home, server):
    behaviour, address = server
    behaviour.drops = [5000, 0, 0, 0]
    registry = registry_of(tmp_path, f"{address}/{FILE}", sha256=None)
    with pytest.raises(WeightsError, match="are kept"):
        fetch("small", registry=registry)
    behaviour.drops, behaviour.etag, behaviour.content = [], '"two"', CONTENT[::-1]
    fetch("small", registry=registry)
    assert behaviour.requested_ranges[-1] == "bytes=5000-"
    assert kept(home) == {FILE: CONTENT[::-1]}


@pytest.mark.parametrize("sha256", ["", None], ids=["registered", "unregistered"])
def test_without_a_version_a_partial_file_is_continued_only_if_the_hash_is_known(
    tmp_path, home, server, sha256
):
    behaviour, address = server
    behaviour.etag, behaviour.drops = 'W/"weak"', [5000]
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}", sha256=sha256))
    assert behaviour.requested_ranges == [None, None if sha256 is None else "bytes=5000-"]
    assert "If-Range" not in behaviour.sent[1]
    assert kept(home) == {FILE: CONTENT}


def test_a_server_that_ignores_ranges_sends_all_again(tmp_path, home, server):
    behaviour, address = server
    behaviour.ranges, behaviour.drops = False, [5000]
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert behaviour.requested_ranges == [None, "bytes=5000-"]
    assert kept(home) == {FILE: CONTENT}


def test_a_server_that_ignores_ranges_and_always_breaks_is_given_up(tmp_path, server):
    behaviour, address = server
    behaviour.ranges, behaviour.drops = False, [5000] * 9
    with pytest.raises(WeightsError, match="the connection was lost"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert len(behaviour.sent) == 4  # the first, and three that brought nothing new


def test_a_partial_file_that_is_the_whole_file_is_verified_and_kept(tmp_path, home, server):
    behaviour, address = server
    home.mkdir(parents=True)
    (home / f"{FILE}.partial").write_bytes(CONTENT)
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert behaviour.requested_ranges == ["bytes=10240-"]
    assert kept(home) == {FILE: CONTENT}


def test_a_partial_file_longer_than_the_file_is_dropped(tmp_path, home, server):
    behaviour, address = server
    home.mkdir(parents=True)
    (home / f"{FILE}.partial").write_bytes(CONTENT + b"x")
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert behaviour.requested_ranges == ["bytes=10241-", None]
    assert kept(home) == {FILE: CONTENT}


def test_a_wrong_byte_is_refused_and_removed(tmp_path, home, server):
    behaviour, address = server
    behaviour.content = CONTENT[:7000] + b"x" + CONTENT[7001:]
    wrong = hashlib.sha256(behaviour.content).hexdigest()
    with pytest.raises(WeightsError) as caught:
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert str(caught.value) == (
        f"weights 'small': {FILE} was refused and removed: it has hash {wrong[:12]}…, {SHA256[:12]}… is registered;"
        " fetch it again, or from another place with --from DIR."
    )
    assert kept(home) == {}
    assert not (home / "lock.json").exists()


def test_a_file_is_compared_with_the_first_digits_that_a_publisher_states(tmp_path, home, server):
    _, address = server
    assert fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}", sha256=SHA256[:8])).is_file()
    (home / FILE).unlink()
    with pytest.raises(WeightsError, match="was refused and removed: it has hash"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}", sha256="0123abcd"))


def test_an_unknown_hash_is_recorded_first_and_compared_from_then_on(tmp_path, home, server):
    behaviour, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}", sha256=None)
    entry = read_registry(registry)["small"]
    fetch("small", registry=registry)
    (home / FILE).write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsError, match="was recorded in lock.json when it was first fetched"):
        weights_file("small", registry)
    behaviour.content = CONTENT[::-1]  # the publisher changes the file
    with pytest.raises(WeightsError, match="was refused and removed: .* was recorded in lock.json"):
        fetch("small", registry=registry)
    behaviour.content = CONTENT
    fetch("small", registry=registry)
    assert store.verify("small", entry).sha256 == SHA256


def test_a_file_that_no_fetch_recorded_is_not_taken_without_a_hash(tmp_path, home):
    home.mkdir(parents=True)
    (home / FILE).write_bytes(CONTENT)
    with pytest.raises(WeightsError, match="was not put there by a fetch"):
        weights_file("small", registry_of(tmp_path, "https://example.org/small", sha256=None))
    assert weights_file("small", registry_of(tmp_path, "https://example.org/small")) == home / FILE


def test_another_size_than_registered_is_refused_before_a_byte_is_written(tmp_path, home, server):
    _, address = server
    with pytest.raises(WeightsError, match="offers 10240 bytes of small.safetensors, 99 are registered"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}", size=99))
    assert kept(home) == {}


def test_a_web_page_is_not_taken_for_weights(tmp_path, home, server):
    behaviour, address = server
    behaviour.content_type = "text/html; charset=utf-8"
    with pytest.raises(WeightsError, match="sent a web page instead of small.safetensors"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}", sha256=None))
    assert kept(home) == {}


def test_an_address_that_sends_on_without_encryption_is_not_followed(tmp_path, home, server, monkeypatch):
    behaviour, address = server
    real = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda request, timeout: real(f"{address}/{FILE}", timeout=timeout)
    )
    with pytest.raises(WeightsError, match="sends on to an address without encryption"):
        fetch("small", registry=registry_of(tmp_path, "https://example.org/small"))
    assert len(behaviour.sent) == 1
    assert kept(home) == {}


def test_a_file_that_is_not_there_is_said_at_once(tmp_path, server):
    behaviour, address = server
    behaviour.statuses = [404]
    with pytest.raises(
        WeightsError, match="127.0.0.1 answers 404 Not Found for small.safetensors; it may have"
    ):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert len(behaviour.sent) == 1


def test_a_failing_server_is_tried_again(tmp_path, home, server):
    behaviour, address = server
    behaviour.statuses = [500, 503]
    fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert len(behaviour.sent) == 3
    assert kept(home) == {FILE: CONTENT}


def test_a_server_that_stays_unwell_is_given_up(tmp_path, server):
    behaviour, address = server
    behaviour.statuses = [500] * 9
    with pytest.raises(WeightsError, match="the server answers 500 Internal Server Error; without a network"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert len(behaviour.sent) == 3


def test_a_server_that_does_not_answer_is_given_up(tmp_path, server, monkeypatch):
    behaviour, address = server
    behaviour.delay = 0.4
    monkeypatch.setattr(fetching, "TIMEOUT", 0.1)
    with pytest.raises(WeightsError, match="127.0.0.1: no answer for 0.1 s; without a network"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))


def test_without_a_network_one_line_says_so(tmp_path):
    with serving(Behaviour()) as address:
        pass  # nobody listens there any more
    with pytest.raises(
        WeightsError, match="127.0.0.1: no connection .Connection refused.; without a network"
    ):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))


def test_a_disk_that_is_too_small_is_said_before_the_download(tmp_path, home, server, monkeypatch):
    _, address = server
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1, 1, 10000))
    with pytest.raises(
        WeightsError, match="10.2 kB are needed and 10.0 kB are free; free space, or set MONAI_EXT_HOME"
    ):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert kept(home) == {}


def test_a_disk_that_fills_up_is_reported_and_the_partial_file_kept(tmp_path, home, server, monkeypatch):
    behaviour, address = server
    behaviour.drops = [5000]
    calls = []

    def fsync(_number: int) -> None:
        calls.append(1)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(WeightsError, match="No space left on device.; free space; the same command goes on"):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))
    assert calls == [1]
    assert kept(home)[f"{FILE}.partial"] == CONTENT[:5000]


def test_a_home_that_cannot_be_written_is_named(tmp_path, server, monkeypatch):
    _, address = server
    (tmp_path / "file").touch()
    monkeypatch.setenv("MONAI_EXT_HOME", str(tmp_path / "file"))
    with pytest.raises(
        WeightsError, match="cannot be written to MONAI_EXT_HOME .Not a directory.; set MONAI_EXT"
    ):
        fetch("small", registry=registry_of(tmp_path, f"{address}/{FILE}"))


@pytest.mark.parametrize("path", [FILE, f"small/{FILE}"])
def test_a_folder_replaces_the_network(tmp_path, home, path):
    origin = tmp_path / "disk" / path
    origin.parent.mkdir(parents=True)
    origin.write_bytes(CONTENT)
    lines: list[str] = []
    fetch("small", tmp_path / "disk", registry_of(tmp_path, "page:https://example.org/file"), lines.append)
    assert kept(home) == {FILE: CONTENT}
    assert lines == [f"small: {FILE}, 10.2 kB, licence for tests"]
    assert origin.read_bytes() == CONTENT


def test_a_wrong_file_in_a_folder_is_refused_and_left_there(tmp_path, home):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / FILE).write_bytes(b"x")
    with pytest.raises(WeightsError, match="was refused and removed"):
        fetch("small", tmp_path / "disk", registry_of(tmp_path, "page:https://example.org/file"))
    assert kept(home) == {}
    assert (tmp_path / "disk" / FILE).read_bytes() == b"x"


def test_a_folder_without_the_file_says_what_it_looked_for(tmp_path):
    with pytest.raises(WeightsError, match=f"neither small/{FILE} nor {FILE} is in the folder 'disk'"):
        fetch("small", tmp_path / "disk", registry_of(tmp_path, "https://example.org/file"))


def test_what_only_a_browser_can_download_is_said(tmp_path):
    registry = registry_of(tmp_path, "page:https://example.org/file")
    with pytest.raises(
        WeightsError, match="in a browser from https://example.org/file; then name its folder"
    ):
        fetch("small", registry=registry)


def test_hub_entries_have_a_plain_address_and_follow_a_mirror(tmp_path, home, server, monkeypatch):
    behaviour, address = server
    registry = registry_of(tmp_path, "hub:someone/model@abc")
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    entry = read_registry(registry)["small"]
    assert url_of(entry) == f"https://huggingface.co/someone/model/resolve/abc/{FILE}"
    monkeypatch.setenv("HF_ENDPOINT", f"{address}/")
    fetch("small", registry=registry)
    assert behaviour.paths == [f"/someone/model/resolve/abc/{FILE}"]
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    with pytest.raises(WeightsError, match="HF_ENDPOINT has to begin with https"):
        url_of(entry)


def test_two_fetches_at_once_download_once(tmp_path, home, server):
    behaviour, address = server
    behaviour.delay = 0.3
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    lines: list[str] = []
    threads = [
        threading.Thread(target=fetch, args=("small", None, registry), kwargs={"report_line": lines.append})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(behaviour.sent) == 1
    assert sorted(lines) == [
        "small: another process is fetching it; waiting.",
        f"small: {FILE}, 10.2 kB, licence for tests",
    ]
    assert kept(home) == {FILE: CONTENT}


def test_a_killed_process_leaves_a_partial_file_that_the_next_goes_on_from(tmp_path, home, server):
    behaviour, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    code = (
        "import sys, time; from monai_ext.weights import fetch as f;"
        "real = f._read_chunk; state = []\n"
        "def slow(response):\n"
        "    if state: time.sleep(60)\n"
        "    state.append(1); return response.read1(6000)\n"
        "f._read_chunk = slow; f.fetch('small', registry=sys.argv[1])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(registry)])
    part = home / f"{FILE}.partial"
    end = time.monotonic() + 20
    while not (part.is_file() and part.stat().st_size) and time.monotonic() < end:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    size = part.stat().st_size
    assert 0 < size <= 6000
    fetch("small", registry=registry)  # the lock died with the process
    assert behaviour.requested_ranges == [None, f"bytes={size}-"]
    assert kept(home) == {FILE: CONTENT}


def test_fetching_imports_neither_torch_nor_monai(tmp_path, server):
    _, address = server
    registry = registry_of(tmp_path, f"{address}/{FILE}")
    code = (
        "import sys; from monai_ext.weights.fetch import fetch; fetch('small', registry=sys.argv[1]);"
        "print([m for m in ('torch', 'monai', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(registry)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
