"""The application: routes, and nothing that computes."""

import asyncio
import contextlib
import logging
import math
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

import geosim
from geosim.images.names import Align, ModelName
from geosim.web.answers import (
    CompareAnswer,
    JobAnswer,
    ModelAnswer,
    PreviewAnswer,
    Refusal,
)
from geosim.web.describing import describe
from geosim.web.guard import Guard
from geosim.web.jobs import INPUTS, Job, Jobs, TooManyJobsError
from geosim.web.limits import WebLimits
from geosim.web.mapping import PICTURES
from geosim.web.tasks import compare_files, list_models, preview_file
from geosim.web.worker import TaskRefusedError, Worker

PAGE = Path(__file__).parent / "page"
"""Folder of the page's files."""

_LOG = logging.getLogger(__name__)

_TIDY_SECONDS = 30.0

_MODELS_SECONDS = 300.0

_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": words}
    for status, words in {
        408: "The upload took too long.",
        413: "The upload is too large.",
        422: "A file or a field cannot be used.",
        429: "The server is busy.",
    }.items()
}

Upload = Annotated[UploadFile, File(description="A picture or a TIFF.")]


class Server:
    """What one server has: limits, a private folder, workers, jobs."""

    def __init__(self, limits: WebLimits) -> None:
        """Make the folder; processes start when they are needed."""
        self.limits = limits
        self._made = tempfile.TemporaryDirectory(prefix="geosim-web-")  # mode 0700
        self.folder = Path(self._made.name)
        self.worker = Worker(limits.worker_bytes)
        self._looking = threading.Lock()
        self._models: tuple[float, list[dict[str, Any]]] = (-math.inf, [])
        self.jobs = Jobs(self.folder, limits)

    def models(self) -> list[dict[str, Any]]:
        """The models, looked for now and then in a process that ends at once.

        To look means to load torch where it is installed: seconds that comparisons
        need not wait, and memory that the server need not keep.
        """
        with self._looking:
            asked, found = self._models
            if time.monotonic() - asked > _MODELS_SECONDS:
                worker = Worker()
                try:
                    found = worker.call(list_models, self.limits.compare_seconds)
                finally:
                    worker.close()
                self._models = (time.monotonic(), found)
            return found

    @contextlib.contextmanager
    def private(self) -> Iterator[Path]:
        """A folder of a request, deleted at its end."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            yield Path(made)

    def close(self) -> None:
        """End all processes and delete all files."""
        self.jobs.close()
        self.worker.close()
        self._made.cleanup()


def create_app(
    limits: WebLimits | None = None, hosts: frozenset[str] = frozenset()
) -> FastAPI:
    """Make the application.

    Args:
        limits: of uploads; None: `WebLimits()`.
        hosts: names by which the server may be called, empty: all.
    """
    server = Server(limits or WebLimits())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tidying = asyncio.create_task(_tidy(server.jobs))
        yield
        tidying.cancel()
        await run_in_threadpool(server.close)

    app = FastAPI(
        title="geosim",
        version=geosim.__version__,
        summary="Compare two pictures; find what changed between two GeoTIFFs.",
        docs_url=None,  # they would load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.server = server
    app.add_middleware(Guard, limits=server.limits, hosts=hosts)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(TaskRefusedError, _refused)
    _add_pictures(app, server)
    _add_change(app, server)
    _add_jobs(app, server)
    _add_pages(app)
    return app


def _add_pictures(app: FastAPI, server: Server) -> None:
    limits = server.limits

    @app.get("/models")
    async def models() -> list[ModelAnswer]:
        """List the models, and say which are ready."""
        found = await run_in_threadpool(server.models)
        return [ModelAnswer(**one) for one in found]

    @app.post("/compare", responses=_REFUSALS)
    async def compare(
        image1: Upload,
        image2: Upload,
        model: Annotated[ModelName, Form(description="See /models.")] = "siamese",
        align: Annotated[
            Align, Form(description="How image2 is laid over image1.")
        ] = "register",
    ) -> CompareAnswer:
        """Compare two pictures: how alike they are, and where they differ."""
        with server.private() as folder:
            paths = [folder / "image1", folder / "image2"]
            for upload, path in zip((image1, image2), paths, strict=True):
                await _store(upload, path, limits.picture_bytes)
            found = await run_in_threadpool(
                server.worker.call,
                compare_files,
                limits.compare_seconds,
                first=str(paths[0]),
                second=str(paths[1]),
                model=model,
                align=align,
                limits=limits,
            )
        return CompareAnswer(**found)

    @app.post("/preview", responses=_REFUSALS)
    async def preview(image: Upload) -> PreviewAnswer:
        """Make a small picture of a file that browsers cannot show."""
        with server.private() as folder:
            await _store(image, folder / "image", limits.raster_bytes)
            found = await run_in_threadpool(
                server.worker.call,
                preview_file,
                limits.compare_seconds,
                path=str(folder / "image"),
                limits=limits,
            )
        return PreviewAnswer(**found)


def _add_change(app: FastAPI, server: Server) -> None:
    jobs = server.jobs

    @app.post("/change", status_code=202, responses=_REFUSALS)
    async def change(image1: Upload, image2: Upload) -> JobAnswer:
        """Start a change map of two GeoTIFFs, image1 the earlier one."""
        try:
            job = jobs.new()
        except TooManyJobsError as error:
            raise HTTPException(
                429, "other change maps are being made; try again in a while"
            ) from error
        try:
            for upload, name in zip((image1, image2), INPUTS, strict=True):
                await _store(upload, job.folder / name, server.limits.raster_bytes)
        except BaseException:
            jobs.remove(job)
            raise
        jobs.start(job)
        return JobAnswer(**job.to_dict())


def _add_jobs(app: FastAPI, server: Server) -> None:
    jobs = server.jobs

    @app.get("/jobs/{job_id}", responses={404: {"model": Refusal}})
    async def job_state(job_id: str) -> JobAnswer:
        """Tell how far a job is, and what it found."""
        return JobAnswer(**_job(jobs, job_id).to_dict())

    @app.delete("/jobs/{job_id}", status_code=204, responses={404: {"model": Refusal}})
    async def end_job(job_id: str) -> None:
        """End a job and delete its files."""
        jobs.remove(_job(jobs, job_id))

    @app.get(
        "/jobs/{job_id}/files/{name}",
        response_class=FileResponse,
        responses={404: {"model": Refusal}},
    )
    async def job_file(job_id: str, name: str) -> FileResponse:
        """Download a file of a finished job."""
        path = _job(jobs, job_id).file(name)
        if path is None:
            raise HTTPException(404, "the job has no such file")
        kind = "inline" if name in PICTURES else "attachment"
        return FileResponse(path, filename=name, content_disposition_type=kind)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(describe(app.openapi()))

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


def _job(jobs: Jobs, job_id: str) -> Job:
    job = jobs.get(job_id)
    if job is None:
        raise HTTPException(
            404, "there is no such job; finished ones are deleted after a while"
        )
    return job


async def _store(upload: UploadFile, path: Path, most: int) -> None:
    """Put an upload into a private folder, under a name of our own."""
    name = Path(path).stem
    if not upload.size:
        raise HTTPException(422, f"'{name}' is empty; a picture or a TIFF is wanted")
    if upload.size > most:
        raise HTTPException(
            413,
            f"'{name}' has {upload.size / 1e6:,.0f} MB, at most {most / 1e6:,.0f} MB "
            "are taken here; give a smaller file",
        )

    def copy() -> None:
        with path.open("xb") as file:
            shutil.copyfileobj(upload.file, file)

    await run_in_threadpool(copy)


async def _tidy(jobs: Jobs) -> None:
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        try:
            await run_in_threadpool(jobs.tidy)
        except Exception:  # noqa: BLE001 - the next time it may do
            _LOG.exception("finished jobs could not be deleted; they are tried again")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Say in one line what a form lacks."""
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = error.errors()[0]
    field = found["loc"][-1]
    return JSONResponse({"detail": f"field '{field}': {found['msg']}"}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    del request
    return JSONResponse({"detail": str(error)}, 422)
