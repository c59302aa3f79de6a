"""Words and numbers that options need too; imports nothing heavy."""

from typing import Literal

Allocation = Literal["rare", "equal", "proportional", "neyman"]
"""`rare`: enough for the rare strata, the rest in proportion to size; `equal`;
`proportional` to size; `neyman`: to size and expected spread, for the least error of
the overall accuracy."""

LEAST = 2
"""Samples without which a stratum has no variance."""

TOLERANCE = 3.0
"""Pixels that a boundary may lie beside the true one."""
