"""The help beside a dialog, from the descriptions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geosim_processing.spec import Command

_FOOT = (
    "geosim runs in its own environment, as a process that the Cancel button ends. Where "
    "it is, stands in Settings &gt; Options &gt; Processing &gt; Providers &gt; geosim."
)


def help_text(command: Command) -> str:
    """HTML: what the command does, its parameters, its outputs."""
    parts = [f"<p>{escape(command.summary, quote=False)}</p>", "<h3>Parameters</h3>"]
    parts += [
        f"<p><b>{escape(one.label, quote=False)}</b>: {escape(one.help, quote=False)}</p>"
        for one in command.parameters
        if one.help
    ]
    if command.outputs:
        parts.append("<h3>Outputs</h3><ul>")
        parts += [
            f"<li>{escape(one.label, quote=False)}"
            + (f" ({escape(one.place.partition('|')[0])})" if one.place else "")
            + "</li>"
            for one in command.outputs
        ]
        parts.append("</ul>")
    return "\n".join([*parts, f"<p>{_FOOT}</p>"])
