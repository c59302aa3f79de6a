"""Rasters on a server that gives parts of files, as those of clouds do."""

import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import rasterio
from processes import call
from rasters import drawn_pair, write_pair

from geosim import ChangeOptions, detect_change, open_result
from geosim.raster.files import files_of


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, its address, and how often each name was asked for.

    It answers other processes alone: rasterio opens files without letting threads work.
    """
    folder, asked = tmp_path / "served", Counter()
    folder.mkdir()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def answer(self):
            asked[self.path] += 1
            path = folder / self.path[1:]
            content = path.read_bytes() if path.is_file() else b""
            part = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            first, last = 0, len(content) - 1
            if part:
                first, last = int(part[1]), min(int(part[2] or last), last)
            code = (206 if part else 200) if content else 404
            self.send_response(code)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last + 1 - first))
            if part and content:
                whole = f"bytes {first}-{last}/{len(content)}"
                self.send_header("Content-Range", whole)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content[first : last + 1])

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_pair_on_a_server_is_compared_as_on_the_disk(served, tmp_path):
    folder, address, asked = served
    pair = write_pair(folder, *drawn_pair(), tiled=True)
    near = detect_change(*pair, tmp_path / "near", ChangeOptions(method="cva"))
    names = f"{address}/{pair[0].name}", f"/vsicurl/{address}/{pair[1].name}"
    far = tmp_path / "far"
    done = call("change", *names, "-o", far, "--method", "cva", "-q")
    assert done.returncode == 0, done.stderr
    record = open_result(far).record
    assert (record.before.path, record.after.path) == names
    files = []
    for one in (near.folder, far):
        with rasterio.open(one / "difference.tif") as file:
            files.append(file.read())
    assert np.array_equal(*files)
    # names of metadata that satellites have beside their images are not asked for
    assert not [name for name in asked if re.search("RPC|IMD|MTL|PVL", name.upper())]
    assert len(asked) < 30


@pytest.mark.parametrize(
    "name",
    [
        "https://host/a.tif",
        "/vsicurl/https://host/a.vrt",
        "s3://bucket/a.tif",
        "/vsizip//vsis3/bucket/a.zip/a.tif",
        "zip+https://host/a.zip!a.tif",
    ],
)
def test_what_lies_elsewhere_is_not_opened_for_the_files_beside_it(name, monkeypatch):
    monkeypatch.setattr("geosim.raster.files.open_raster", lambda _: pytest.fail(name))
    assert files_of(name) == (name,)
