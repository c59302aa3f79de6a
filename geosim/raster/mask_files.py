"""Which masks a user gave; apart from what reads them: quick to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MaskKind = Literal["auto", "binary", "qa_pixel", "scl"]
"""What the numbers of a mask mean: "binary" (anything but 0 is masked), "qa_pixel"
(Landsat Collection 2), "scl" (Sentinel-2 level 2A); "auto": as its names say."""


@dataclass(frozen=True, kw_only=True)
class MaskFiles:
    """The masks that a user gave."""

    before: str | None = None
    """Of date 1."""
    after: str | None = None
    """Of date 2."""
    kind: MaskKind = "auto"
    """Of rasters among them."""
