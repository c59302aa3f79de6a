"""Options that several commands take, each said once, and how they are read."""

from typing import Annotated

import typer

from geosim.errors import OptionError

Threads = Annotated[str, typer.Option(help="A number, or 'all'.", metavar="N|all")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier result.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def parse_threads(text: str) -> int | None:
    """Read "all" as None, anything else as a number.

    Raises:
        OptionError: neither.
    """
    if text.lower() == "all":
        return None
    if not text.isdecimal():
        raise OptionError(f"--threads wants a number or 'all'; found '{text}'")
    return int(text)
