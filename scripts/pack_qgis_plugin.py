"""Pack the QGIS plugin: python scripts/pack_qgis_plugin.py [-o geosim_processing.zip].

The same sources give the same bytes. QGIS installs the file by Plugins > Manage and
Install Plugins > Install from ZIP.
"""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "qgis_plugin" / "geosim_processing"
KINDS = (".py", ".svg", ".html", ".txt")
TIME = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can tell: when it was packed says nothing."""


def version() -> str:
    """That of geosim."""
    text = (ROOT / "geosim" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    if not found:
        raise SystemExit("geosim/__init__.py has no __version__")
    return found[1]


def contents() -> dict[str, bytes]:
    """Names in the zip and what they hold."""
    files = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in KINDS and path.is_file()
    }
    name = f"{PACKAGE.name}/metadata.txt"
    metadata = files[name].decode()
    files[name] = re.sub(r"(?m)^version=.*$", f"version={version()}", metadata).encode()
    files[f"{PACKAGE.name}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    return dict(sorted(files.items()))


def pack(path: Path) -> Path:
    """Write the zip."""
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in contents().items():
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type = zipfile.ZIP_STORED  # zlib versions differ in bytes
            info.create_system = 3  # the same on every system
            info.external_attr = 0o100644 << 16
            packed.writestr(info, content)
    return path


def main() -> None:
    """Read the command line and pack."""
    parser = argparse.ArgumentParser(description="Pack the QGIS plugin.")
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(f"geosim_processing-{version()}.zip")
    )
    print(pack(parser.parse_args().out))


if __name__ == "__main__":
    main()
