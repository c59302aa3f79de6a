"""Draw docs/images/qgis.png: python scripts/make_qgis_picture.py COMMAND.

Installs the plugin into a fresh profile of the real QGIS, opens the dialog, runs it on
the sample data and photographs the window. COMMAND is the command geosim. Wants QGIS
and xvfb-run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

try:
    from qgis.core import QgsProject, QgsRasterLayer
    from qgis.PyQt.QtCore import QTimer
    from qgis.PyQt.QtGui import QImage, QPainter
    from qgis.utils import iface
except ImportError:
    QTimer = None

PLUGIN = "geosim_processing"


def outside(command: str) -> None:
    """Start QGIS with this file as its script."""
    root = Path(__file__).resolve().parents[1]
    picture = root / "docs" / "images" / "qgis.png"
    with tempfile.TemporaryDirectory() as home:
        profile = Path(home) / ".local/share/QGIS/QGIS3/profiles/default"
        (profile / "python" / "plugins").mkdir(parents=True)
        packed = Path(home) / "plugin.zip"
        pack = [sys.executable, str(root / "scripts" / "pack_qgis_plugin.py")]
        subprocess.run([*pack, "-o", str(packed)], check=True)
        with zipfile.ZipFile(packed) as held:
            held.extractall(profile / "python" / "plugins")
        (profile / "QGIS").mkdir()
        (profile / "QGIS" / "QGIS3.ini").write_text(
            f"[PythonPlugins]\n{PLUGIN}=true\nprocessing=true\n"
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "XDG_RUNTIME_DIR": home,
            "LC_ALL": "C.UTF-8",
            "GDAL_PAM_ENABLED": "NO",  # no files beside the sample data
            "GEOSIM_COMMAND": str(Path(command).resolve()),
            "GEOSIM_PICTURE": str(picture),
            "GEOSIM_SAMPLE": str(root / "sample_data"),
        }
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
        subprocess.run(
            [*screen, "qgis", "--nologo", "--code", __file__],
            check=True,
            env=environment,
            timeout=300,
        )
    from PIL import Image  # not in QGIS's Python everywhere

    with Image.open(picture) as whole:
        few = whole.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)
    print(picture)


def inside() -> None:
    """In QGIS: layers, dialog, run, picture."""
    import processing

    data = os.environ["GEOSIM_SAMPLE"]
    layers = {}
    for name in ("1990", "2020"):
        layers[name] = QgsRasterLayer(f"{data}/{name}.tif", name)
        QgsProject.instance().addMapLayer(layers[name])
    iface.mainWindow().resize(900, 720)
    hide_docks()
    dialog = processing.createAlgorithmDialog(
        "geosim:change",
        {"BEFORE": layers["1990"].id(), "AFTER": layers["2020"].id()},
    )
    dialog.resize(640, 620)
    dialog.show()
    QTimer.singleShot(3000, lambda: start(dialog))


def hide_docks() -> None:
    """Leave map and legend."""
    for dock in ("Browser", "ProcessingToolbox", "ResultsViewer"):
        found = iface.mainWindow().findChild(object, dock)
        if found:
            found.hide()


def start(dialog: Any) -> None:  # noqa: ANN401
    """Photograph the dialog, run."""
    shown = dialog.grab()

    def done() -> None:
        dialog.close()
        hide_docks()
        iface.messageBar().clearWidgets()
        iface.zoomFull()
        QTimer.singleShot(4000, lambda: take(shown))

    dialog.algorithmFinished.connect(lambda *_: QTimer.singleShot(1000, done))
    dialog.runAlgorithm()


def take(dialog: Any) -> None:  # noqa: ANN401
    """Dialog and window side by side."""
    window = iface.mainWindow().grab()
    image = QImage(window.width() + dialog.width(), window.height(), 4)
    image.fill(0xFFFFFFFF)
    painter = QPainter(image)
    painter.drawPixmap(0, 0, dialog)
    painter.drawPixmap(dialog.width(), 0, window)
    painter.end()
    image.save(os.environ["GEOSIM_PICTURE"])
    os._exit(0)


if "GEOSIM_PICTURE" in os.environ and QTimer is not None:
    QTimer.singleShot(5000, inside)
elif __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        raise SystemExit(__doc__)
    outside(sys.argv[1])
