"""The files of a series, of what its dates decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geosim.publish.wording import SQUARE_METRES_PER_HECTARE
from geosim.themes.classes import THEMES
from geosim.timeline import delivery
from geosim.timeline.classes import slugs_of_codes
from geosim.timeline.pairs import PAIRS
from geosim.timeline.pictures import previews
from geosim.timeline.places import Maps, find_places
from geosim.timeline.recording import series_record
from geosim.timeline.result import SERIES_RASTERS
from geosim.timeline.summing import changed_once, write_years
from geosim.timeline.tables import SeriesFound, bars_of, shortages, table_rows

if TYPE_CHECKING:
    from geosim.progress import Clock
    from geosim.raster.staging import WorkFolder
    from geosim.timeline.plan import Plan
    from geosim.timeline.recording import Made

_PREVIEW = 1000
"""Longest side of the report's pictures in pixels."""


def write_result(
    plan: Plan, work: WorkFolder, clock: Clock, *, made: Made
) -> dict[str, Any]:
    """Write the files of a series into the working folder; the record comes back.

    Args:
        plan: what the series is of.
        work: the working folder; takes the comparisons from `pairs` in it, too.
        clock: hears the stage "writing".
        made: what was found; its working rasters take the years.
    """
    staging, years = work.new_result(), delivery.years_of(plan.dates)
    creation = dict(plan.options.creation_options)
    rasters, grid = made.rasters, plan.grid
    with clock.stage("writing", 6) as tick:
        outputs = {name: rasters[name] for name in SERIES_RASTERS}
        slugs = slugs_of_codes(plan.options.theme)
        sums = write_years(
            grid, rasters["codes"], rasters["since"], years, slugs, outputs
        )
        for name, raster in outputs.items():
            raster.to_cog(staging / f"{name}.tif", creation)
        delivery.write_styles(staging, years)
        tick(2)
        kept = THEMES[plan.options.theme].classes
        keys = sorted(key for key in sums.changed if key[2] in kept)
        own = {
            cover: ha * SQUARE_METRES_PER_HECTARE for cover, ha in plan.series.initial
        }
        found = SeriesFound(
            grid=grid,
            dates=plan.dates,
            sums=sums,
            places=find_places(
                Maps(grid=grid, rasters=rasters, pairs=made.maps, slugs=slugs), keys
            ),
            theme=plan.options.theme,
            initial=own,
            covered=made.covered,
            compared=changed_once(grid, rasters["count"])[2],
        )
        tick(1)
        rows = table_rows(found)
        polygons = delivery.write_tables(
            staging, found, rows, bars_of(found), plan.options.formats
        )
        tick(1)
        pictures = previews(made.stack, rasters, _PREVIEW)
        record = series_record(plan, made, clock.seconds, len(polygons))
        record["notes"] += shortages(found, rows)
        delivery.write_report(staging, found, record, pictures, rows, polygons)
        tick(1)
        delivery.write_record(staging, record)
        delivery.write_item(staging, record, plan.folder)
        (work.path / PAIRS).rename(staging / PAIRS)
        tick(1)
    return record
