"""Run what a page of the documentation tells its reader to type.

`python scripts/docs_blocks.py docs/tutorials/first_change_map.md` runs the page's
blocks marked `bash` and `python`, in their order, in an empty folder beside a link to
the sample data. Blocks after the comment `<!-- not run -->` and blocks of other kinds
are shown only.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"(?P<not_run><!-- not run -->\s*)?^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
"""A fenced block of Markdown."""
LINKED = ("sample_data", "workflows")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of every block of a page that is run."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if found["kind"] in {"bash", "python"} and not found["not_run"]:
            yield found["kind"], found["text"]


def run_page(page: Path, folder: Path) -> None:
    """Run a page's blocks in a folder.

    Raises:
        subprocess.CalledProcessError: the first block that fails.
    """
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    known = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PATH": path, "PYTHONPATH": known}
    for kind, text in blocks(page):
        call = {
            "bash": ["bash", "-euo", "pipefail", "-c", text],
            "python": [sys.executable, "-W", "error::DeprecationWarning", "-c", text],
        }[kind]
        print(text, end="", flush=True)
        began = time.monotonic()
        subprocess.run(call, cwd=folder, env=environment, check=True)  # noqa: S603
        print(f"-- {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            run_page(Path(name).resolve(), Path(scratch))
