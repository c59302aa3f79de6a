"""A PostGIS server of one's own, run as a user without rights."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cr et'\\"  # noqa: S105 - of a server that lives for one test
QUOTED = "'s3cr et\\'\\\\'"
NOBODY = 65534


def missing():
    """Why no server can be started; empty where one can."""
    if _binaries() is None:
        return "no postgresql: scripts/install_system_packages.sh"
    if not list(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        return "no postgis: scripts/install_system_packages.sh"
    return ""


def _binaries():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@contextmanager
def postgis_server():
    """A connection string of an empty database with PostGIS, and one without."""
    home = Path(tempfile.mkdtemp(prefix="geosim-pg-"))
    who = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
    secret = home / "password"
    secret.write_text(PASSWORD)
    if who:
        for path in (home, secret):
            os.chown(path, NOBODY, NOBODY)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    binaries = _binaries()

    def call(name, *arguments):
        subprocess.run(
            [binaries / name, *map(str, arguments)],
            cwd=home,
            check=True,
            stdout=subprocess.DEVNULL,
            **who,
        )

    data = home / "data"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {home} -c fsync=off"
    try:
        call(
            *("initdb", "-D", data, "-U", "surveyor", "-A", "scram-sha-256"),
            *("--no-sync", f"--pwfile={secret}", "--locale=C", "-E", "UTF8"),
        )
        call("pg_ctl", "-D", data, "-o", options, "-l", home / "log", "-w", "start")
        try:
            yield f"host=127.0.0.1 port={port} user=surveyor"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)
