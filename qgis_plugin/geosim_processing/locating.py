"""Which program is run, and in which environment: not that of QGIS."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "GEOSIM_COMMAND"
"""Environment variable that names the command, and name of the setting."""

NOT_FOUND = (
    "the command geosim was not found; install it into an environment of its own "
    "(python3 -m venv ~/geosim && ~/geosim/bin/pip install geosim) and give the path "
    "of the command, or of that environment, in Settings > Options > Processing > "
    f"Providers > geosim, or in the environment variable {VARIABLE}"
)

_OF_QGIS = (
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
    "GISBASE",
    "PROJ_DATA",
    "PROJ_LIB",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONSTARTUP",
    "QT_PLUGIN_PATH",
    "__PYVENV_LAUNCHER__",
)
"""What QGIS sets for its own Python, GDAL and PROJ."""

_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH")
_FOREIGN = ("grass", "qgis", ".mount_")
"""Folders of libraries that start so come from QGIS, GRASS or an AppImage."""

_PLACES = (
    "~/.local/bin",
    "~/geosim/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
)
"""Looked into after PATH: programs started from a desktop often have a short one."""

_PLACES_WINDOWS = (
    "~/.local/bin",
    "~/geosim/Scripts",
    "~/AppData/Roaming/Python/Scripts",
)


class CommandNotFoundError(Exception):
    """There is no command geosim; the text says what to do."""


def find_command(setting: str, environment: Mapping[str, str]) -> list[str]:
    """The program, as a list that arguments can follow.

    Args:
        setting: of the Processing provider; "" where there is none. A program, the
            folder of an environment that has it, or a program with arguments
            (`flatpak-spawn --host geosim`).
        environment: environment variables; `GEOSIM_COMMAND` counts where there is no
            setting, then `PATH`.

    Raises:
        CommandNotFoundError: what is named is not there, or nothing is found.
    """
    for text, origin in (
        (setting.strip(), "the setting of the Processing provider"),
        (environment.get(VARIABLE, "").strip(), f"the environment variable {VARIABLE}"),
    ):
        if text:
            found = _named(text, environment)
            if not found:
                raise CommandNotFoundError(
                    f"'{text}', which {origin} names, is no program and no environment "
                    "with geosim in it; give the path of the command geosim"
                )
            return found
    places = _PLACES if os.name == "posix" else _PLACES_WINDOWS
    path = os.pathsep.join(
        [environment.get("PATH", ""), *map(os.path.expanduser, places)]
    )
    program = shutil.which("geosim", path=path)
    if not program:
        raise CommandNotFoundError(NOT_FOUND)
    return [program]


def _named(text: str, environment: Mapping[str, str]) -> list[str]:
    """What a text names: program, environment, or program with arguments."""
    path = Path(text.strip("\"'")).expanduser()
    if path.is_dir():
        return _inside(path)
    if path.is_file():
        return [str(path)]
    first, *rest = shlex.split(text, posix=os.name == "posix") or [""]
    program = shutil.which(os.path.expanduser(first), path=environment.get("PATH"))  # noqa: PTH111
    return [program, *rest] if program else []


def _inside(folder: Path) -> list[str]:
    """The command of a virtual or conda environment, or of its folder of programs."""
    for place in ("bin", "Scripts", ""):
        program = shutil.which("geosim", path=str(folder / place))
        if program:
            return [program]
    return []


def clean_environment(environment: Mapping[str, str], program: str) -> dict[str, str]:
    """The environment of geosim: the user's, without what belongs to QGIS.

    Args:
        environment: that of QGIS.
        program: its folder comes first on `PATH`, as in an activated environment.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() not in _OF_QGIS
    }
    for name in _LIBRARY_PATHS:
        if name in kept:
            folders = [part for part in kept[name].split(os.pathsep) if part]
            own = [folder for folder in folders if not _foreign(folder, environment)]
            kept[name] = os.pathsep.join(own)
            if not own:
                del kept[name]
    beside = str(Path(program).parent)
    kept["PATH"] = os.pathsep.join(filter(None, [beside, kept.get("PATH", "")]))
    kept |= {
        "GEOSIM_PROGRESS": "lines",
        "PYTHONUTF8": "1",
        "COLUMNS": "1000",  # an error in one line
        "NO_COLOR": "1",
    }
    return kept


def _foreign(folder: str, environment: Mapping[str, str]) -> bool:
    """True for a folder of libraries that QGIS has brought along."""
    parts = Path(folder).parts
    if any(part.lower().startswith(_FOREIGN) for part in parts):
        return True
    homes = (environment.get(name) for name in ("APPDIR", "QGIS_PREFIX_PATH"))
    return any(
        home and home != "/usr" and Path(home) in (Path(folder), *Path(folder).parents)
        for home in homes
    )
