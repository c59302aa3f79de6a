"""The help beside a dialog, from the descriptions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geosim_processing.spec import Command

_FOOT = (
    "geosim runs in its own environment, as a process that the Cancel button ends. "
    "Where it is, stands in Settings &gt; Options &gt; Processing &gt; Providers &gt; "
    "geosim."
)


def _safe(text: str) -> str:
    return escape(text, quote=False)


def help_text(command: Command) -> str:
    """HTML: what the command does, its parameters, its outputs."""
    parts = [f"<p>{_safe(command.summary)}</p>", "<h3>Parameters</h3>"]
    parts += [
        f"<p><b>{_safe(one.label)}</b>: {_safe(one.help)}</p>"
        for one in command.parameters
        if one.help
    ]
    if command.outputs:
        parts.append("<h3>Outputs</h3><ul>")
        parts += [
            f"<li>{_safe(one.label)}"
            + (f" ({escape(one.place.partition('|')[0])})" if one.place else "")
            + "</li>"
            for one in command.outputs
        ]
        parts.append("</ul>")
    return "\n".join([*parts, f"<p>{_FOOT}</p>"])
