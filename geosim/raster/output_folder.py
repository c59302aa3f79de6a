"""Whether a folder can take a result; nothing is made or changed here."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from geosim.errors import OutputError, ResultExistsError
from geosim.raster.staging import work_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SHOWN = 40
"""Letters of a long name that a message shows."""


def check_folder(folder: Path, known: Sequence[str], *, overwrite: bool) -> None:
    """Refuse an output folder that cannot take the result.

    Args:
        folder: where the result shall be.
        known: names of the files of a result.
        overwrite: True where an earlier result may be replaced.

    Raises:
        ResultExistsError: it holds a result.
        OutputError: it is a file, or a link that leads nowhere.
    """
    _check_name(folder)
    if folder.is_symlink() and not folder.exists():
        raise OutputError(
            f"'{folder}' is a link to '{folder.readlink()}', which is not there; make "
            "that folder or choose another one with -o"
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"'{folder}' must be a folder, but is a file; choose with -o")
    found = [name for name in known if (folder / name).exists()]
    if found and not overwrite:
        raise ResultExistsError(
            f"'{folder}' holds a result already ({found[0]}); replace it with "
            "--overwrite or choose another folder with -o"
        )


def check_inputs(
    folder: Path, known: Sequence[str], inputs: Sequence[str | None]
) -> None:
    """Refuse an output folder in which a result would replace what it is made of.

    Args:
        folder: where the result shall be.
        known: names of the files of a result.
        inputs: names of files, or of what GDAL opens otherwise; None: none.

    Raises:
        OutputError: as said.
    """
    for name in known:
        if not os.path.isfile(folder / name):  # noqa: PTH113 - false of any bad name
            continue
        for given in inputs:
            if given and os.path.exists(given) and (folder / name).samefile(given):  # noqa: PTH110
                raise OutputError(
                    f"'{given}' is an input and has the name of a file of the result, "
                    "which would replace it; choose another folder with -o"
                )


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""What SQLite and others do not take in a name."""


def _check_name(folder: Path) -> None:
    """Refuse a name that the disk does not take.

    Raises:
        OutputError: as said.
    """
    if _CONTROL.search(str(folder.absolute())):
        raise OutputError(
            f"{str(folder)!r} holds a tab, a line break or such, with which other "
            "programs cannot open what lies there; choose another with -o"
        )
    try:
        work_path(folder).exists()
    except (OSError, ValueError) as error:
        shown = (
            folder.name if len(folder.name) < _SHOWN else f"{folder.name[:_SHOWN]}..."
        )
        why = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"'{shown}' cannot be the name of a folder: {why}; choose another with -o"
        ) from error


def check_parent(folder: Path) -> None:
    """Refuse a folder that is not there and cannot be made.

    Raises:
        OutputError: what is above it is a file, or cannot be written.
    """
    whole = folder.absolute()
    nearest = next(path for path in (whole, *whole.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise OutputError(
            f"cannot write into '{nearest}'; choose another folder with -o"
        )
