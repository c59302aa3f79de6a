"""Where many pairs, or one huge one, are computed."""

from __future__ import annotations

from dataclasses import dataclass

from geosim.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Where `detect_changes` computes: on this machine or on a Dask cluster."""

    scheduler: str | None = None
    """Address of a running Dask scheduler ("tcp://host:8786"), or "local"; None as
    "local": workers on this machine, which end with the work."""
    workers: int | None = None
    """Processes on this machine; None: as many as cores and `memory` allow."""
    retries: int = 2
    """How often what failed or was lost is tried again."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: the first value that cannot be used.
        """
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"--workers wants at least 1; found {self.workers}")
        if self.retries < 0:
            raise OptionError(f"--retries wants 0 or more; found {self.retries}")
        if self.workers is not None and not self.local:
            raise OptionError(
                "--workers is for this machine; the workers of the scheduler at "
                f"'{self.scheduler}' are there already; leave it out"
            )

    @property
    def local(self) -> bool:
        """True where the workers are started on this machine."""
        return self.scheduler in (None, "local")
