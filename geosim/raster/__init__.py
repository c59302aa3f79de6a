"""Pixels in and out: grids, the only reader, the only writer, radiometry, shift."""
