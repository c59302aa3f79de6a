"""A report printed to PDF by an installed Chromium, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from geosim.errors import MissingDependencyError, OutputError

VARIABLE = "GEOSIM_CHROMIUM"
"""Environment variable that names the browser to print with."""

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
_PATIENCE_S = 180
_SMALLEST = 1000
"""Bytes below which a PDF has no page."""


def find_chromium() -> str:
    """The browser to print with.

    Raises:
        MissingDependencyError: there is none.
    """
    named = os.environ.get(VARIABLE)
    found = [shutil.which(name) for name in ([named] if named else _NAMES)]
    for path in found:
        if path is not None:
            return path
    wanted = f"'{named}', as {VARIABLE} names it" if named else ", ".join(_NAMES[:3])
    raise MissingDependencyError(
        f"a PDF is printed by Chromium, and none was found ({wanted}); install it, "
        f"name it in {VARIABLE}, or print report.html from a browser"
    )


def print_pdf(page: Path, pdf: Path) -> None:
    """Print a page that needs nothing but itself; the PDF appears when it is whole.

    The browser gets a fresh profile and no network.

    Args:
        page: the HTML file.
        pdf: file to write; one that exists is replaced.

    Raises:
        MissingDependencyError: there is no Chromium.
        OutputError: it failed, took too long, or wrote no PDF.
    """
    browser = find_chromium()
    with tempfile.TemporaryDirectory(prefix="geosim-pdf-") as folder:
        draft = Path(folder) / "report.pdf"
        _run(_command(browser, page, draft, Path(folder) / "profile"))
        if not draft.is_file() or draft.stat().st_size < _SMALLEST:
            raise OutputError(
                f"'{browser}' wrote no PDF of '{page}'; print it from a browser"
            )
        try:
            _move(draft, pdf)
        except OSError as error:
            raise OutputError(f"cannot write '{pdf}': {error.strerror}") from error


def _command(browser: str, page: Path, pdf: Path, profile: Path) -> list[str]:
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",  # containers give it 64 MB
        "--disable-extensions",
        "--disable-background-networking",
        "--no-first-run",
        "--no-pdf-header-footer",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        f"--print-to-pdf={pdf}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses root otherwise
    return [*command, page.absolute().as_uri()]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OutputError(
            f"'{command[0]}' did not print within {_PATIENCE_S} s; print report.html "
            "from a browser"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot start '{command[0]}': {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it told nothing"])[-1]
        raise OutputError(f"'{command[0]}' could not print the report: {last}")


def _move(draft: Path, pdf: Path) -> None:
    """By way of the target's own folder: a rename within it happens at once."""
    beside = pdf.with_name(f".{pdf.name}.partial")
    try:
        shutil.copyfile(draft, beside)
        beside.replace(pdf)
    finally:
        beside.unlink(missing_ok=True)
