"""Options that several commands take, each said once."""

from typing import Annotated

import typer

Threads = Annotated[str, typer.Option(help="A number, or 'all'.", metavar="N|all")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier result.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
