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
