"""What a command makes of a result once it is whole: polygons elsewhere, a PDF."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from geosim.errors import GeosimError, OptionError

if TYPE_CHECKING:
    from geosim.result import ChangeResult
    from geosim.timeline.result import SeriesResult

_OGR_LAYER = "changes"

Ogr = Annotated[
    str | None,
    typer.Option(
        help="Write the polygons there too: 'PG:dbname=...' for PostGIS, or a "
        "file that OGR writes. Never recorded.",
        metavar="DSN",
    ),
]
OgrLayer = Annotated[
    str | None,
    typer.Option(help="Name of the layer or table of --ogr.", show_default=_OGR_LAYER),
]
Pdf = Annotated[
    bool,
    typer.Option("--pdf", help="Print the report too, by an installed Chromium."),
]


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What is wanted beside the files of a result."""

    ogr: str | None = field(repr=False)
    """Where the polygons go; may hold a password."""
    named: str | None
    """Name of the layer or table, where one was given."""
    pdf: bool
    """True: the report is printed."""
    replace: bool
    """True: a layer of that name is replaced."""

    @property
    def layer(self) -> str:
        """Name of the layer or table."""
        return _OGR_LAYER if self.named is None else self.named

    def check(self) -> None:
        """Refuse what cannot be made, before any work."""
        if self.named is not None and self.ogr is None:
            raise OptionError(
                f"--ogr-layer {self.named} names the layer that --ogr writes; give "
                "--ogr too, or leave both out"
            )
        if self.pdf:
            from geosim.delivering.printing import find_chromium

            find_chromium()
        if self.ogr is not None:
            from geosim.delivering.exporting import check_target

            check_target(self.ogr, self.layer, overwrite=self.replace)

    def deliver(
        self, result: "ChangeResult | SeriesResult", print_report: Callable[[], None]
    ) -> None:
        """Make it; where that fails, tell that the result itself is whole.

        Args:
            result: whose polygons are written.
            print_report: prints its report.
        """
        try:
            if self.pdf:
                print_report()
            if self.ogr is not None:
                from geosim.delivering.exporting import export_changes

                export_changes(
                    result.changes, self.ogr, self.layer, overwrite=self.replace
                )
        except GeosimError as error:
            error.add_note(f"the result in '{result.folder}' is whole")
            raise
