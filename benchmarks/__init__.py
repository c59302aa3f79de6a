"""Measurements of the whole program; none of it is installed."""
