"""What HTML pages are made of: templates, styles and scripts beside this module."""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def page_file(name: str) -> str:
    """A file of the package `geosim.publish` as text."""
    return (resources.files("geosim.publish") / name).read_text(encoding="utf-8")


def filled(name: str, parts: Mapping[str, str]) -> str:
    """A template with its `$parts`; what UTF-8 cannot hold becomes a question mark."""
    page = Template(page_file(name)).substitute(parts)
    return page.encode("utf-8", "replace").decode("utf-8")
