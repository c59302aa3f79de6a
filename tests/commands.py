"""The command line in processes of their own, which need not import everything first.

`python commands.py` imports what commands import and does nothing else. For each line
that it is given it forks; the child runs `geosim` with standard streams, a folder and
signals of its own, to its end.
"""

import gc
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# not torch: to fork what has loaded it takes longer than to import geosim anew
IMPORTED = (
    *(
        "geosim.cli",
        "geosim.pipeline",
        "geosim.analysing",
        "geosim.delivering.reporting",
    ),
    *("geosim.compare", "geosim.synth", "geosim.train", "geosim.train_pairs"),
    *("geopandas", "pystac", "PIL.Image"),
)
SECONDS = 120
"""A command that takes longer is ended."""


class Commands:
    """Runs commands: `code, stdout, stderr = commands(folder, "change", ...)`."""

    def __init__(self):
        self._said = tempfile.TemporaryDirectory(prefix="geosim-commands-")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
        self._server = subprocess.Popen(
            [sys.executable, __file__],
            env=environment | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, folder, *arguments, limit=None):
        """Run to the end; `limit`: the largest size in bytes of a file it writes."""
        said = [Path(self._said.name) / name for name in ("stdout", "stderr")]
        asked = {
            "folder": str(folder),
            "arguments": [str(one) for one in arguments],
            "said": [str(path) for path in said],
            "limit": limit,
        }
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        code = int(self._server.stdout.readline())
        return code, *(path.read_text(encoding="utf-8") for path in said)

    def close(self):
        """End the process that forks."""
        self._server.communicate()
        self._said.cleanup()


def serve():
    """Import, then fork for each line on stdin and tell how the child ended."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # pages that no collection writes to stay shared
    while line := sys.stdin.readline():
        child = os.fork()
        if not child:
            become(**json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(folder, arguments, said, limit):
    """Be `geosim ARGUMENTS`, begun in a folder, from here on."""
    from geosim.cli import main

    signal.alarm(SECONDS)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.argv = ["geosim", *arguments]
    main()


if __name__ == "__main__":
    serve()
