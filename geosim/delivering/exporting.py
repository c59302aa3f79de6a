"""A result's polygons as a layer of a database or of another file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geosim.errors import OptionError, OutputError
from geosim.publish import postgis
from geosim.publish.formats import (
    check_ogr_target,
    ogr_driver,
    shown_dsn,
    write_layer,
)

if TYPE_CHECKING:
    import geopandas as gpd

DEFAULT_LAYER = "changes"
"""Name of the layer or table."""


def check_target(
    dsn: str, layer: str = DEFAULT_LAYER, *, overwrite: bool = False
) -> None:
    """Refuse a target that cannot take the polygons, before any work.

    Args:
        dsn: `PG:` and a connection string of libpq, `postgresql://...`, or any data
            source that OGR can write.
        layer: name of the layer or table; of a table with its schema where wanted
            (`monitoring.changes`).
        overwrite: True where a layer of that name may be replaced.

    Raises:
        GeosimError: what is missing, in one line without the connection's secrets.
    """
    if not layer.strip():
        raise OptionError("--ogr-layer wants a name; found none")
    if postgis.is_postgis(dsn):
        postgis.check_postgis(dsn, layer, overwrite=overwrite)
    else:
        check_ogr_target(dsn, layer, overwrite=overwrite)


def export_changes(
    changes: gpd.GeoDataFrame,
    dsn: str,
    layer: str = DEFAULT_LAYER,
    *,
    overwrite: bool = False,
) -> None:
    """Write polygons into a PostGIS database or any target that OGR can write.

    A table of PostGIS appears whole or not at all.

    Args:
        changes: such as `ChangeResult.changes`.
        dsn: as in `check_target`.
        layer: as in `check_target`.
        overwrite: True: a layer of that name is replaced.

    Raises:
        GeosimError: as `check_target`, or what failed while writing.
    """
    check_target(dsn, layer, overwrite=overwrite)
    if postgis.is_postgis(dsn):
        postgis.write_postgis(dsn, layer, changes, overwrite=overwrite)
        return
    path = Path(dsn)
    new = not path.exists()
    try:
        write_layer(changes, dsn, driver=ogr_driver(dsn), layer=layer)
    except (OSError, RuntimeError, ValueError) as error:
        if new and path.is_file():
            path.unlink()  # half-written
        cause = " ".join(str(error).replace(dsn, shown_dsn(dsn)).split())
        raise OutputError(f"cannot write '{shown_dsn(dsn)}': {cause}") from error
