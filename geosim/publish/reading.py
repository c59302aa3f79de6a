"""A finished run's record, read back from its `run.json`."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from geosim.publish import record as rec
from geosim.publish.stac import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

_Record = TypeVar("_Record")

_PARTS: dict[str, type] = {
    "before": rec.InputRecord,
    "after": rec.InputRecord,
    "grid": rec.GridRecord,
    "threshold": rec.ThresholdRecord,
    "areas": rec.AreaRecord,
    "weights": rec.WeightsRecord,
    "shift": rec.ShiftRecord,
}


def record_of(item: Mapping[str, Any], name: str) -> rec.RunRecord:
    """The record that `change_item` made a STAC Item of.

    Args:
        item: contents of `run.json`.
        name: name of the run's folder.

    Raises:
        KeyError, TypeError, ValueError: it is no such Item.
    """
    properties = item["properties"]
    values = {
        key.removeprefix(PREFIX): value
        for key, value in properties.items()
        if key.startswith(PREFIX)
    }
    for key, kind in _PARTS.items():
        if values.get(key) is not None:
            values[key] = _made(kind, values[key])
    return _made(
        rec.RunRecord,
        values
        | {
            "name": name,
            "version": properties["processing:version"],
            "created": datetime.fromisoformat(properties["created"]),
            "software": properties["processing:software"],
        },
    )


def _made(kind: type[_Record], values: Mapping[str, Any]) -> _Record:
    """A record of its fields; what is derived from them is left out."""
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{
            key: tuple(value) if isinstance(value, list) else value
            for key, value in values.items()
            if key in known
        }
    )
