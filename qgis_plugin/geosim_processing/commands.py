"""The commands of geosim that QGIS offers, with their parameters and outputs.

Flags, choices and defaults are those of the command line; a test compares them.
"""

from __future__ import annotations

from geosim_processing.command_change import CHANGE
from geosim_processing.command_compare import COMPARE
from geosim_processing.command_sample import ASSESS, SAMPLE
from geosim_processing.command_series import SERIES

COMMANDS = (CHANGE, SERIES, COMPARE, SAMPLE, ASSESS)
"""In the order of the toolbox."""

__all__ = ["ASSESS", "CHANGE", "COMMANDS", "COMPARE", "SAMPLE", "SERIES"]
