"""What an index holds, as plain records; no file is touched here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceKind = Literal["folder", "video", "raster"]
"""Where pictures come from."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A folder of pictures, a video or a raster."""

    kind: SourceKind
    """What it is."""
    path: str
    """Its absolute path."""
    settings: str = ""
    """How pictures were taken from it, as text; other settings make other pictures."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a picture lies on the globe."""

    crs: str
    """Coordinate system: "EPSG:..." where it has a number, else WKT."""
    corners: tuple[tuple[float, float], ...]
    """(x, y) of the corners in that system: upper left, upper right, lower right,
    lower left of the pixels."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One picture of an index: a file, a frame of a video, a tile of a raster."""

    source: Source
    """Where it comes from."""
    name: str
    """Its name in the source: a path below the folder ("a/b.jpg"), the frame's time
    ("12.480 s"), the tile's first column and row ("512,0")."""
    width: int
    """Columns of the picture in pixels, of a tile in pixels of its raster."""
    height: int
    """Rows."""
    stamp: str = ""
    """Size and time of change of the file; another stamp: the file is read anew."""
    time: float | None = None
    """Seconds from the video's beginning; None: no frame."""
    window: tuple[int, int, int, int] | None = None
    """(col_off, row_off, width, height) in the raster; None: no tile."""
    place: Place | None = None
    """Coordinates; None where there are none."""

    @property
    def path(self) -> str:
        """The file it is in."""
        if self.source.kind == "folder":
            return f"{self.source.path}/{self.name}"
        return self.source.path

    @property
    def title(self) -> str:
        """A short name to show: file name, with time or window."""
        if self.source.kind == "folder":
            return self.name
        stem = self.source.path.rsplit("/", 1)[-1]
        return f"{stem} {self.name}"


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """Which network made the embeddings of an index: all must come from one."""

    model: str
    """Name, as `--model` takes it."""
    weights: str
    """Name or path of the weights; empty: the model's own."""
    weights_sha256: str
    """Checksum of these weights."""
    size: int
    """Numbers of an embedding."""
