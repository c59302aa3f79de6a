"""The command `geosim serve`."""

from typing import Annotated

import typer

from geosim.commands.console import hush_libraries
from geosim.commands.refusing import refusing
from geosim.commands.shared import Debug, Quiet


def serve(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for the whole network.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port; 0: any that is free.", min=0, max=65535)
    ] = 8000,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Serve the web page: compare two pictures, or two GeoTIFFs, in a browser.

    The page works offline; uploads stay on this machine and are deleted. Needs
    the extra 'web'.
    """
    if not debug:
        hush_libraries()
    with refusing(debug=debug, interrupted="stopped"):
        from geosim.web.limits import WebLimits
        from geosim.web.serving import serve as run

        def ready(address: str) -> None:
            if not quiet:
                typer.echo(f"geosim is at {address}  (Ctrl-C ends it)", err=True)

        run(host, port, WebLimits(), ready=ready)
