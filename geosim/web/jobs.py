"""Change maps as jobs: one runs, others wait, finished ones go after a time."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from geosim.result import FILES
from geosim.web.mapping import ARCHIVE, PICTURES
from geosim.web.tasks import change_files
from geosim.web.worker import TaskRefusedError, Worker

if TYPE_CHECKING:
    from geosim.web.limits import WebLimits

State = Literal["waiting", "running", "done", "failed"]

INPUTS = ("before.tif", "after.tif")
"""What uploads are called in a job's folder; the names they come with count nothing."""

_SHARES = {"sampling": 0.05, "scoring": 0.75, "deciding": 0.08, "writing": 0.12}
"""Of the whole, by stage, about."""


class TooManyJobsError(Exception):
    """As many jobs wait as may."""


@dataclass(kw_only=True)
class Job:
    """One change map."""

    id: str
    """A secret name, drawn at random."""
    folder: Path
    """Where its files are; nobody else's are there."""
    state: State = "waiting"
    """What it is at."""
    stage: str = ""
    """Of the run, see `geosim.progress.Progress`."""
    progress: float = 0.0
    """0..1."""
    error: str | None = None
    """Why it failed."""
    found: dict[str, Any] | None = None
    """What the map shows, when done."""
    ended: float | None = None
    """`time.monotonic()` of its end."""
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when nobody wants it any more."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        told: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "stage": self.stage,
            "progress": round(self.progress, 4),
            "error": self.error,
        }
        if self.found is not None:
            names = [ARCHIVE, *FILES]
            told["result"] = self.found
            told["files"] = {n: f"/jobs/{self.id}/files/{n}" for n in names}
            told["pictures"] = [f"/jobs/{self.id}/files/{n}" for n in PICTURES]
        return told

    def file(self, name: str) -> Path | None:
        """One of the job's files; None for any other name."""
        if self.state != "done":
            return None
        if name in FILES:
            return self.folder / "result" / name
        return self.folder / name if name in (ARCHIVE, *PICTURES) else None


class Jobs:
    """All jobs of a server."""

    def __init__(self, folder: Path, limits: WebLimits) -> None:
        """Start without any.

        Args:
            folder: a private one, for a folder of each job.
            limits: of number and time.
        """
        self._folder = folder
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._worker = Worker(limits.worker_bytes)
        self._pool = ThreadPoolExecutor(1, "jobs")

    def new(self) -> Job:
        """A job whose folder waits for `INPUTS`.

        Raises:
            TooManyJobsError: as many wait as may.
        """
        self.tidy()
        with self._lock:
            waiting = sum(job.ended is None for job in self._jobs.values())
            if waiting >= self._limits.jobs:
                raise TooManyJobsError
            name = secrets.token_urlsafe(16)
            job = Job(id=name, folder=self._folder / f"job-{secrets.token_hex(8)}")
            job.folder.mkdir(mode=0o700)
            self._jobs[name] = job
        return job

    def start(self, job: Job) -> None:
        """Put a job into the row."""
        self._pool.submit(self._run, job)

    def get(self, name: str) -> Job | None:
        """A job by its id."""
        self.tidy()
        return self._jobs.get(name)

    def remove(self, job: Job) -> None:
        """End a job and delete its files."""
        job.stopped.set()
        with self._lock:
            self._jobs.pop(job.id, None)
            if job.state != "running":  # else its thread deletes them
                shutil.rmtree(job.folder, ignore_errors=True)

    def tidy(self) -> None:
        """Delete what is too old or too much."""
        now = time.monotonic()
        ended = [job for job in self._all() if job.ended is not None]
        ended.sort(key=lambda job: job.ended or 0.0)
        surplus = max(len(ended) - self._limits.kept_jobs, 0)
        for place, job in enumerate(ended):
            old = now - (job.ended or now) > self._limits.kept_seconds
            if old or place < surplus:
                self.remove(job)

    def close(self) -> None:
        """End all."""
        for job in self._all():
            job.stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._worker.close()

    def _all(self) -> list[Job]:
        """All jobs as they are now; others may come and go meanwhile."""
        with self._lock:
            return list(self._jobs.values())

    def _run(self, job: Job) -> None:
        with self._lock:
            if job.stopped.is_set():
                shutil.rmtree(job.folder, ignore_errors=True)
                return
            job.state = "running"
        paths = [str(job.folder / name) for name in INPUTS]

        def heard(told: tuple[str, float, float]) -> None:
            job.stage, job.progress = told[0], fraction(*told)

        try:
            job.found = self._worker.call(
                change_files,
                self._limits.change_seconds,
                report=heard,
                stop=job.stopped.is_set,
                before=paths[0],
                after=paths[1],
                out=str(job.folder / "result"),
                limits=self._limits,
            )
        except TaskRefusedError as error:
            # the folder's name is nobody's business
            job.error = str(error).replace(f"{job.folder}/", "")
        except Exception:  # noqa: BLE001 - a job must not stay "running"
            job.error = "the change map could not be made; try other files"
        self._worker.close()  # its memory is given back
        for path in paths:
            Path(path).unlink(missing_ok=True)
        with self._lock:
            job.state = "done" if job.error is None else "failed"
            job.progress = 1.0 if job.error is None else job.progress
            job.ended = time.monotonic()
            if job.stopped.is_set() or job.error is not None:
                shutil.rmtree(job.folder, ignore_errors=True)


def fraction(stage: str, done: float, total: float) -> float:
    """How much of a whole run is done, 0..1, from a stage of it."""
    before = 0.0
    for name, share in _SHARES.items():
        if name == stage:
            return min(before + share * min(done / max(total, 1e-9), 1.0), 1.0)
        before += share
    return 0.0
