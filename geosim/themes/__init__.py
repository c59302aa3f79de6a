"""What a change is: land cover before and after, classes with a direction, themes.

Pure: tables and functions of arrays. Nothing here reads or writes a file.
"""

from geosim.themes.classes import (
    CHANGED_CLASS,
    CLASSES,
    COVERS,
    THEMES,
    ChangeClass,
    Cover,
    Theme,
    ThemeName,
)

__all__ = [
    "CHANGED_CLASS",
    "CLASSES",
    "COVERS",
    "THEMES",
    "ChangeClass",
    "Cover",
    "Theme",
    "ThemeName",
]
