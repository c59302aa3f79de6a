"""Polygons as a table of a PostGIS database, in one transaction."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from geosim.errors import MissingDependencyError, OutputError, ResultExistsError
from geosim.publish.formats import in_degrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd

PREFIX = "PG:"
"""How OGR names a PostgreSQL database; a connection string of libpq follows."""

_URIS = ("postgresql://", "postgres://")
_PATIENCE_S = 10
"""Seconds to wait for the database's answer."""

_TOLD = ("host", "hostaddr", "port", "dbname", "service")
"""Parts of a connection string that may be told; all others may be secret."""

_OF_OGR = re.compile(
    r"\b(schemas|active_schema|tables)\s*=\s*('[^']*'|\S+)\s*", re.IGNORECASE
)
_PART = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S+)")
_TYPES = {"i": "bigint", "u": "bigint", "f": "double precision", "b": "boolean"}
_GEOMETRY = "geom"


def is_postgis(dsn: str) -> bool:
    """Whether a target is a PostgreSQL database."""
    return dsn.upper().startswith(PREFIX) or dsn.startswith(_URIS)


def shown_connection(dsn: str) -> str:
    """A connection as it may be told: host, port and database, nothing else."""
    text = _connection(dsn)
    if text.startswith(_URIS):
        parts = urlsplit(text)
        place = "@".join(parts.netloc.split("@")[1:]) or parts.netloc
        return f"{PREFIX}{place}{parts.path}"
    found = [f"{k}={v}" for k, v in _PART.findall(text) if k.lower() in _TOLD]
    return PREFIX + " ".join(found)


def check_postgis(dsn: str, table: str, *, overwrite: bool) -> None:
    """Refuse a database that cannot take the table, before any work.

    Args:
        dsn: `PG:` and a connection string of libpq, or `postgresql://...`.
        table: its name, with a schema before a dot where wanted.
        overwrite: True where a table of that name may be replaced.

    Raises:
        MissingDependencyError: psycopg is not installed.
        OutputError: the database cannot be reached or used.
        ResultExistsError: there is such a table.
    """
    with _connected(dsn) as connection:
        _check(connection, dsn, table, overwrite=overwrite)


def write_postgis(
    dsn: str, table: str, frame: gpd.GeoDataFrame, *, overwrite: bool
) -> None:
    """Write polygons as a table with a spatial index: whole, or not at all.

    A CRS without an EPSG code becomes longitude and latitude, since a database knows
    systems by number.

    Args:
        dsn: as in `check_postgis`.
        table: as in `check_postgis`.
        frame: the polygons; a column `id` becomes the primary key.
        overwrite: True: a table of that name is replaced.

    Raises:
        MissingDependencyError, OutputError, ResultExistsError: as `check_postgis`.
    """
    srid = _srid(frame)
    if frame.crs is not None and srid is None:
        frame, srid = in_degrees(frame), 4326
    with _connected(dsn) as connection:
        _check(connection, dsn, table, overwrite=overwrite)
        _create(connection, table, frame, srid or 0)
        _copy(connection, table, frame, srid or 0)


def _srid(frame: gpd.GeoDataFrame) -> int | None:
    if frame.crs is None:
        return None
    code = frame.crs.to_epsg(min_confidence=70)
    return int(code) if code else None


def _connection(dsn: str) -> str:
    """What libpq reads: OGR's prefix, quotes and own words taken off."""
    text = dsn[len(PREFIX) :] if dsn.upper().startswith(PREFIX) else dsn
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text if text.startswith(_URIS) else _OF_OGR.sub("", text)


@contextmanager
def _connected(dsn: str) -> Iterator[Any]:
    """A connection that commits at the end, and undoes all where something fails."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingDependencyError(
            "psycopg is needed for a PostGIS target and is not installed; install it "
            "with: pip install 'geosim[postgis]'"
        ) from error
    try:
        with psycopg.connect(
            _connection(dsn), connect_timeout=_PATIENCE_S
        ) as connection:
            yield connection
    except psycopg.Error as error:
        # libpq and the server tell of their own words, never of a password; a
        # connection string that cannot be read is repeated, though
        unread = isinstance(error, psycopg.ProgrammingError) and not error.sqlstate
        cause = "the connection string cannot be read" if unread else str(error)
        where = shown_connection(dsn)
        raise OutputError(
            f"the database '{where}' cannot be used: {_one_line(cause)}"
        ) from (None if unread else error)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _check(connection: Any, dsn: str, table: str, *, overwrite: bool) -> None:  # noqa: ANN401
    where = shown_connection(dsn)
    schema, name = _split(table)
    known = connection.execute(
        "SELECT count(*) FROM pg_extension WHERE extname = 'postgis'"
    ).fetchone()
    if not known[0]:
        raise OutputError(
            f"the database '{where}' has no PostGIS; add it with: CREATE EXTENSION "
            "postgis"
        )
    # NULL where there is no such schema
    (may,) = connection.execute(
        "SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace "
        "WHERE nspname = COALESCE(%s, current_schema())",
        (schema,),
    ).fetchone() or (None,)
    if not may:
        lacks = "no such schema" if may is None else "no right to create tables in it"
        raise OutputError(
            f"--ogr-layer '{table}' wants a schema that can be written in '{where}'; "
            f"found {lacks}"
        )
    (taken,) = connection.execute(
        "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = COALESCE(%s, current_schema()) AND relname = %s",
        (schema, name),
    ).fetchone()
    if taken and not overwrite:
        raise ResultExistsError(
            f"'{where}' has a table '{table}' already; replace it with --overwrite or "
            "choose another --ogr-layer"
        )


def _split(table: str) -> tuple[str | None, str]:
    schema, dot, name = table.rpartition(".")
    return (schema if dot else None), name


def _identifier(table: str) -> Any:  # noqa: ANN401
    from psycopg import sql

    schema, name = _split(table)
    return sql.Identifier(*([schema] if schema else []), name)


def _create(connection: Any, table: str, frame: gpd.GeoDataFrame, srid: int) -> None:  # noqa: ANN401
    from psycopg import sql

    has_many = bool((frame.geometry.geom_type == "MultiPolygon").any())
    kind = "MultiPolygon" if has_many else "Polygon"
    parts = [
        sql.SQL("{} {}").format(
            sql.Identifier(name),
            sql.SQL(
                _TYPES.get(dtype.kind, "text")
                + (" PRIMARY KEY" if name == "id" and frame[name].is_unique else "")
            ),
        )
        for name, dtype in frame.drop(columns=frame.geometry.name).dtypes.items()
    ]
    parts.append(
        sql.SQL("{} geometry({}, {})").format(
            sql.Identifier(_GEOMETRY), sql.SQL(kind), sql.Literal(srid)
        )
    )
    place = _identifier(table)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(place))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({})").format(place, sql.SQL(", ").join(parts))
    )


def _copy(connection: Any, table: str, frame: gpd.GeoDataFrame, srid: int) -> None:  # noqa: ANN401
    import pandas as pd
    import shapely
    from psycopg import sql

    has_many = bool((frame.geometry.geom_type == "MultiPolygon").any())
    shapes = list(frame.geometry)
    if has_many:
        shapes = [
            shapely.MultiPolygon([one]) if one.geom_type == "Polygon" else one
            for one in shapes
        ]
    written = shapely.to_wkb(
        shapely.set_srid(shapes, srid), hex=True, include_srid=True
    )
    values = frame.drop(columns=frame.geometry.name).astype(object)
    values = values.where(pd.notna(values), None)
    place = _identifier(table)
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN").format(place)) as copy,
    ):
        for row, shape in zip(values.itertuples(index=False), written, strict=True):
            copy.write_row((*row, shape))
    connection.execute(
        sql.SQL("CREATE INDEX ON {} USING gist ({})").format(
            place, sql.Identifier(_GEOMETRY)
        )
    )
