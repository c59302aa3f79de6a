"""A pixel's states through several dates: pure functions of arrays and numbers."""
