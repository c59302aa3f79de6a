"""Dask: workers on this machine or of a running scheduler.

Beside `tasks` and `worker` the only module that imports `distributed`, and only when
work begins.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import geosim
from geosim.errors import ClusterError, MissingDependencyError
from geosim.machine.memory import ELSEWHERE, LEAST, default_memory, machine_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geosim.cluster_options import ClusterOptions
    from geosim.options import ChangeOptions

WORKERS_S = 120.0
"""How long to wait for the first worker of a scheduler."""

_LOOK_S = 0.25
"""How often to look for it."""

CONNECT_S = 10.0
"""How long to wait for a scheduler's answer."""

_AS_ALONE = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.work-stealing": False,
}
"""Settings of Dask's under which workers of this machine work as a process of its own.

Memory is not handed back at once: each array that follows would pay for new pages.
What Dask measures of itself, a hundred times a second, for a dashboard that there is
not, takes a twentieth of a core in every worker and in this process; with as many
workers as cores that is taken from the work. Tasks are handed out one by one and leave
nothing to move about."""

_MEMORY_SHARE = 0.8
"""Part of the machine's memory that workers of this machine may take together."""


@contextmanager
def open_cluster(
    options: ClusterOptions, *, workers: int, threads: int
) -> Iterator[Any]:
    """A Dask client with workers that know this geosim.

    Args:
        options: where to compute.
        workers: processes to start on this machine.
        threads: threads of each.

    Raises:
        MissingDependencyError: `distributed` is not installed.
        ClusterError: no scheduler or no worker answers, or geosim is another there.
    """
    if options.local:
        with _local_client(workers, threads) as client:
            yield client
        return
    with _remote_client(str(options.scheduler)) as client:
        yield client


def need(*modules: str) -> None:
    """Refuse where a library of the extra `batch` is missing.

    Raises:
        MissingDependencyError: with the command that installs it.
    """
    from importlib import import_module

    for name in modules:
        try:
            import_module(name)
        except ImportError as error:
            raise MissingDependencyError(
                f"{name} is needed for this and cannot be imported ({error}); "
                "install it with: pip install 'geosim[batch]'"
            ) from error


@contextmanager
def _local_client(workers: int, threads: int) -> Iterator[Any]:
    need("distributed")
    import dask
    from distributed import Client, LocalCluster

    with (
        _script_not_run_again(),
        dask.config.set(_AS_ALONE),
        TemporaryDirectory(prefix="geosim-dask-") as scratch,
    ):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=threads,
            memory_limit=None,  # geosim keeps to --memory by itself
            silence_logs=logging.CRITICAL,
            local_directory=scratch,
            # a lost worker's task comes back at once: retries are counted in one place
            scheduler_kwargs={
                "allowed_failures": 0,
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",  # any free port, for us alone
            },
        )
        client = Client(cluster, set_as_default=False)
        try:
            client.register_plugin(_local_manners())
            yield client
        except BaseException:
            _kill_workers(cluster)
            raise
        finally:
            client.close()
            cluster.close()


def _kill_workers(cluster: Any) -> None:  # noqa: ANN401 - distributed's LocalCluster
    """End the workers at once: a task cannot be asked to stop."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.pid:
            with suppress(ProcessLookupError):  # it ended by itself meanwhile
                os.kill(nanny.pid, signal.SIGKILL)


def _local_manners() -> Any:  # noqa: ANN401 - a class of distributed
    """A plugin for workers that are children of this process."""
    from distributed import WorkerPlugin

    class Manners(WorkerPlugin):
        """Ctrl-C is for the parent; what libraries print comes back as an error."""

        name = "geosim-manners"

        def setup(self, worker: object) -> None:
            del worker
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)

    return Manners()


def local_workers(
    cluster: ClusterOptions, options: ChangeOptions, most: int
) -> tuple[int, int]:
    """Processes on this machine and threads of each.

    One per core as far as memory goes, unless the options say otherwise; together they
    have no more threads than there are cores. Where no memory is asked for, it goes as
    far as the least that a process takes.

    Args:
        cluster: may name the number of processes.
        options: memory and threads of each.
        most: more would have nothing to do.
    """
    cores = replace(options, threads=None).thread_count
    torch = options.device in ("torch", "cuda")
    each = options.megabytes if options.memory or torch else LEAST
    room = machine_memory() * _MEMORY_SHARE / (each * 1e6)
    workers = min(cores // (options.threads or 1), int(room), most)
    workers = cluster.workers or max(1, workers)
    return workers, options.threads or max(1, cores // workers)


def with_worker_memory(
    options: ChangeOptions, cluster: ClusterOptions, most: int
) -> ChangeOptions:
    """The options with the memory of a worker, where they say none.

    Workers of this machine share what one process would take.

    Args:
        options: of the run.
        cluster: where it computes.
        most: see `local_workers`.
    """
    if options.memory is not None:
        return options
    if not cluster.local:
        return replace(options, worker_memory=ELSEWHERE)
    workers, _ = local_workers(cluster, options, most)
    return replace(options, worker_memory=default_memory(workers))


@contextmanager
def _script_not_run_again() -> Iterator[None]:
    """Keep new processes from running the user's script, of which they need nothing.

    So a script works without `if __name__ == "__main__"`.
    """
    main: dict[str, Any] = vars(sys.modules["__main__"])
    hidden: dict[str, Any]
    hidden = {key: main[key] for key in ("__file__", "__spec__") if key in main}
    main.pop("__file__", None)
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


@contextmanager
def _remote_client(address: str) -> Iterator[Any]:
    need("distributed")
    from distributed import Client

    try:
        client = Client(address, set_as_default=False, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at '{address}'; give the address that "
            "`dask scheduler` tells, such as tcp://host:8786"
        ) from error
    try:
        _check_workers(client, address)
        yield client
    finally:
        client.close()


def _check_workers(client: Any, address: str) -> None:  # noqa: ANN401
    """Refuse a cluster without workers or with another geosim."""
    deadline = time.monotonic() + WORKERS_S
    while not client.nthreads():
        if time.monotonic() > deadline:
            raise ClusterError(
                f"the scheduler at '{address}' has no worker after {WORKERS_S:.0f} s; "
                f"start some with `dask worker {address}`"
            )
        time.sleep(_LOOK_S)
    wanted = geosim.__version__
    try:
        found = set(client.run(_version).values())
    except Exception as error:
        raise ClusterError(
            f"the workers of '{address}' must have geosim {wanted}, but cannot import "
            f"it ({error}); install it there with: pip install 'geosim[batch]'"
        ) from error
    if found != {wanted}:
        raise ClusterError(
            f"the workers of '{address}' must have geosim {wanted}; found "
            f"{', '.join(sorted(found))}; install the same version there"
        )


def _version() -> str:
    return geosim.__version__
