"""The installed Chromium that tests drive, and what a test needs to be one of them."""

import os
import shutil

import pytest

CHROMIUM = os.environ.get("GEOSIM_CHROMIUM") or shutil.which("chromium")
MARKS = (
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no chromium; set GEOSIM_CHROMIUM"),
)


def serious(page):
    """What axe-core finds that is serious."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        (one["id"], [node["html"][:90] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
