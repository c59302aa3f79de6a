"""`geosim serve` as a process: how it starts, ends, and bears a flood."""

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import pytest
from test_web import HOSTILE, drawn, encoded
from typer.testing import CliRunner

from geosim.cli import app

FLOOD = 200
MOST_BYTES = 1_000_000_000
BOUNDARY = "0123456789abcdef"


@contextmanager
def serving(root, folder):
    """A server whose temporary files go into a folder; its port and process."""
    command = [sys.executable, root / "cli.py", "serve", "--port", "0"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            line = server.stderr.readline()
            yield int(re.search(r":(\d+)/", line)[1]), server
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def form(first, second):
    parts = []
    for name, content in (("image1", first), ("image2", second), ("model", b"ssim")):
        file = "" if name == "model" else '; filename="../../x.png"'
        head = f'Content-Disposition: form-data; name="{name}"{file}'
        parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def answered(port, body):
    """The status of one POST /compare."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    try:
        connection.request("POST", "/compare", body, kind)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def watch(process, ended, peaks):
    """Note the memory of a process and its children until it is enough."""
    while not ended.wait(0.05):
        family = [process, *process.children(recursive=True)]
        for one in family:
            try:
                peaks.append(one.memory_info().rss)
            except psutil.NoSuchProcess:
                continue


@pytest.mark.slow
def test_a_flood_of_hostile_requests(root, tmp_path):
    good = encoded(drawn(1))
    kinds = [good, bytes(50_000_000), *(content for content, _ in HOSTILE.values())]
    bodies = [form(kind, good) for kind in kinds]
    with serving(root, tmp_path) as (port, server):
        assert answered(port, bodies[0]) == 200
        ended, peaks = Event(), []
        process = psutil.Process(server.pid)
        watcher = Thread(target=watch, args=(process, ended, peaks))
        watcher.start()
        with ThreadPoolExecutor(FLOOD) as pool:
            tasks = [
                pool.submit(answered, port, bodies[place % len(bodies)])
                for place in range(FLOOD)
            ]
            found = Counter(task.result() for task in tasks)
        ended.set()
        watcher.join()
        assert set(found) <= {200, 413, 422, 429}
        assert found[429] > 0
        assert max(peaks) < MOST_BYTES
        assert answered(port, bodies[0]) == 200
        assert [list(folder.iterdir()) for folder in tmp_path.iterdir()] == [[]]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_all(root, tmp_path):
    with serving(root, tmp_path) as (port, server):
        picture = encoded(drawn(1))
        assert answered(port, form(picture, picture)) == 200
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 130
        _, alive = psutil.wait_procs(family, 10)
        assert alive == []
        assert server.stderr.read().strip() == "stopped"
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = CliRunner().invoke(app, ["serve", "--port", port])
    assert found.exit_code == 1
    assert "give another --port" in found.output


def test_missing_libraries_are_told(monkeypatch):
    for name in [n for n in sys.modules if n.startswith("geosim.web.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    found = CliRunner().invoke(app, ["serve", "--port", "0"])
    assert found.exit_code == 1
    assert "pip install 'geosim[web]'" in found.output
