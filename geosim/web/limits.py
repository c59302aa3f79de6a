"""How much a stranger may ask of the server: one frozen record, home of defaults."""

from __future__ import annotations

from dataclasses import dataclass

from geosim.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """Bounds in bytes, pixels, time and number."""

    picture_bytes: int = 32_000_000
    """Largest file of POST /compare."""
    picture_pixels: int = 40_000_000
    """Most pixels of such a picture."""
    raster_bytes: int = 200_000_000
    """Largest file of POST /change and of POST /preview."""
    raster_pixels: int = 100_000_000
    """Most pixels of such a raster, width times height."""
    raster_bands: int = 16
    """Most bands of such a raster."""
    worker_bytes: int = 6_000_000_000
    """Memory that a process may take which decodes and computes."""
    upload_seconds: float = 120.0
    """A request must have arrived after this time."""
    compare_seconds: float = 120.0
    """A comparison or preview that takes longer is ended."""
    change_seconds: float = 1800.0
    """A change map that takes longer is ended."""
    requests: int = 8
    """Uploads that are taken in or wait for their turn at once; more get 429."""
    jobs: int = 4
    """Change maps that run or wait; more get 429."""
    kept_jobs: int = 8
    """Finished change maps that are kept, the latest ones."""
    kept_seconds: float = 3600.0
    """How long a finished change map is kept."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        for name, value in vars(self).items():
            if value <= 0:
                raise OptionError(f"limit {name} wants more than 0; found {value}")
