"""The plugin for QGIS as tests have it: packed, and commands for it to find."""

import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = "geosim_processing"


def packed(folder, name="plugin.zip"):
    """The zip that users install."""
    script = ROOT / "scripts" / "pack_qgis_plugin.py"
    path = folder / name
    subprocess.run([sys.executable, script, "-o", path], check=True)
    return path


def executable(path):
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)
