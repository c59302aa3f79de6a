"""From answers and truth to figures with bootstrap intervals, as geosim measures."""

from geosim.assessment.measuring import Figure, Row, Scene, gather, measure

__all__ = ["FIGURES", "Figure", "Row", "Scene", "gather", "measure"]

FIGURES = (
    "ap",
    "roc_area",
    "f1",
    "best_f1",
    "f1_ratio",
    "flagged",
    "calibration_error",
)
"""What the table shows, in its order."""
