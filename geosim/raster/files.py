"""The files that a raster consists of."""

from __future__ import annotations

import re
from pathlib import Path

from rasterio.errors import RasterioError

from geosim.errors import GeosimError
from geosim.raster.source import open_raster

NOTES = ".aux.xml"
"""End of the name of a file beside a raster: statistics, which tell nothing of it, but
in some formats its place and its nodata value too."""

_BY_OTHERS = (NOTES, ".ovr")
"""Ends of names of files that other programs put beside a raster, whose pixels are the
same with and without them: statistics, overviews."""


_IN_ARCHIVES = ("/vsizip/", "/vsitar/", "/vsigzip/", "/vsi7z/", "/vsirar/")
"""How GDAL's names of what lies in an archive begin."""


_REMOTE = re.compile(
    r"(^|[/+])(https?|ftp|s3|gs|az|adls|oss|swift|hdfs|webhdfs)://"
    r"|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(_streaming)?/"
)
"""In names of what lies on another machine."""


def is_virtual(path: str) -> bool:
    """Whether a raster is a VRT, so that its pixels are those of other files."""
    return path.lower().endswith(".vrt")


def files_of(path: str) -> tuple[str, ...]:
    """All files that a raster consists of, this one first.

    GDAL tells those that a VRT names; where these are VRTs as well, theirs come after
    them. Of what lies in an archive, that. Statistics and overviews beside a raster are
    left out.

    Args:
        path: anything that GDAL opens; where it does not, or it lies on another
            machine, there is this name alone.
    """
    found = {path: None}  # a set in order
    waiting = [path]
    while waiting:
        for name in _told(waiting.pop()):
            if name not in found and not name.lower().endswith(_BY_OTHERS):
                found[name] = None
                if is_virtual(name):
                    waiting.append(name)
    return tuple(found | dict.fromkeys(filter(None, map(_archive, found))))


def _archive(name: str) -> str | None:
    """The archive on this machine that a name of GDAL leads into; None: none."""
    if not name.startswith(_IN_ARCHIVES):
        return None
    inner = Path("/" + name.split("/", 2)[2].strip("{}").lstrip("/"))
    relative = Path(name.split("/", 2)[2].strip("{}"))
    for path in (relative, inner):
        for whole in (path, *path.parents):
            if whole.is_file():
                return str(whole)
    return None


def _told(path: str) -> tuple[str, ...]:
    """What GDAL tells of a raster; nothing where it cannot be opened.

    Of what lies elsewhere too: GDAL would ask the host for fifty names beside it.
    """
    if _REMOTE.search(path):
        return ()
    try:
        with open_raster(path) as dataset:
            return tuple(dataset.files)
    except (GeosimError, RasterioError):
        return ()
