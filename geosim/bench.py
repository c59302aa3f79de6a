"""How fast this machine is: a synthetic pair, compared in a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter

import geosim
from geosim.errors import GeosimError, OptionError
from geosim.options import BENCH_RESOLUTION, BENCH_SIZE, ChangeOptions
from geosim.pipeline import detect_change
from geosim.progress import Clock, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SMALL = 512
"""Side of the pair that the cold start is taken from."""

_SQUARE = 512
"""Side of the squares that a pair is drawn in."""

_MORE = 0.1
"""Share of its time by which the larger pair must take longer for a speed to be the
difference's: below it is chance."""

_CHILD = "from geosim.bench import compare_in_child; compare_in_child()"


@dataclass(frozen=True, kw_only=True)
class BenchRecord:
    """What was measured. Seconds are those of a clock on the wall."""

    version: str
    """geosim's version."""
    machine: str
    """Processor, as the system names it."""
    cores: int
    """Cores that this process may use."""
    engine: str
    """What computed: library, precision, device, threads."""
    weights: str | None
    """The network's weights by name; None without a network."""
    method: str
    """The method."""
    size: int
    """Side of the pair in pixels; three bands of 8 bit."""
    resolution: float
    """Size of a pixel in metres."""
    seconds: float
    """Of the whole command, its start included."""
    cold_start: float
    """Of the whole command for a pair of 512 px."""
    mpix_per_second: float
    """Million pixels of the pair per second, without what a small pair takes too; with
    it where a small pair takes almost as long, which is then most of it."""
    km2_per_hour: float
    """The same in square kilometres per hour at this resolution."""
    scoring_mpix_per_second: float
    """Of the first pass alone."""
    peak_memory: float | None
    """Largest resident memory in MB; None where the system does not tell."""
    timings: Mapping[str, float]
    """Seconds per stage."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure(
    options: ChangeOptions | None = None,
    *,
    size: int = BENCH_SIZE,
    resolution: float = BENCH_RESOLUTION,
    progress: Progress | None = None,
) -> BenchRecord:
    """Compare a synthetic pair and tell how long it took.

    Everything is made in a temporary folder, which is removed in the end.

    Args:
        options: how to compare.
        size: side of the pair in pixels.
        resolution: size of a pixel in metres: smoothing depends on it.
        progress: called with the stages "drawing" and "comparing".

    Raises:
        OptionError: a size or resolution that cannot be used.
        GeosimError: as `detect_change`.
    """
    if size <= SMALL:
        raise OptionError(f"--size wants more than {SMALL} pixels; found {size}")
    if not 0 < resolution < float("inf"):
        raise OptionError(f"--resolution wants metres above 0; found {resolution:g}")
    options = replace(options or ChangeOptions(), overwrite=True)
    clock = Clock(progress)
    with tempfile.TemporaryDirectory(prefix="geosim-bench-") as name:
        folder = Path(name)
        with clock.stage("drawing", 2) as tick:
            pairs = {}
            for side in (SMALL, size):
                pairs[side] = draw_pair(folder, side, resolution)
                tick(1)
        with clock.stage("comparing", 2) as tick:
            # tiles may be larger than the small pair
            small = _timed(folder, pairs[SMALL], replace(options, tile_size=None))
            tick(1)
            large = _timed(folder, pairs[size], options)
            tick(1)
    return _record(small, large, size, resolution)


def _record(
    small: Mapping[str, Any], large: Mapping[str, Any], size: int, resolution: float
) -> BenchRecord:
    """The figures of both runs as one record."""
    mpix = size * size / 1e6
    # what a small pair takes too (start, loading, polygons) does not grow with area
    more = large["seconds"] - small["seconds"]
    if more > _MORE * small["seconds"]:
        speed = (mpix - SMALL * SMALL / 1e6) / more
    else:
        speed = mpix / large["seconds"]
    run = large["record"]
    return BenchRecord(
        version=geosim.__version__,
        machine=_processor(),
        cores=ChangeOptions().thread_count,
        engine=run["engine"],
        weights=run["weights"]["name"] if run["weights"] else None,
        method=run["method"],
        size=size,
        resolution=resolution,
        seconds=round(large["seconds"], 3),
        cold_start=round(small["seconds"], 3),
        mpix_per_second=round(speed, 4),
        km2_per_hour=round(speed * resolution**2 * 3600, 2),
        scoring_mpix_per_second=round(mpix / run["timings"]["scoring"], 4),
        peak_memory=large["peak"],
        timings=run["timings"],
    )


def _timed(
    folder: Path, pair: tuple[Path, Path], options: ChangeOptions
) -> dict[str, Any]:
    """Compare in a fresh process; its record, peak memory and seconds."""
    work = pickle.dumps((*map(str, pair), str(folder / "result"), options))
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", _CHILD],
        input=work,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": paths},
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise GeosimError(lines[-1] if lines else f"ended with {done.returncode}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"seconds": seconds}


def compare_in_child() -> None:
    """What the fresh process does: a pickled call on stdin, JSON on stdout."""
    before, after, out, options = pickle.load(sys.stdin.buffer)  # noqa: S301 - ours
    try:
        result = detect_change(before, after, out, options)
    except GeosimError as error:
        sys.exit(" ".join(str(error).split()))
    told = {"record": result.record.to_dict(), "peak": peak_memory()}
    sys.stdout.write(json.dumps(told))


def peak_memory() -> float | None:
    """Largest resident memory of this process in MB; None where it is not told."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    return None


def _processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def draw_pair(folder: Path, side: int, resolution: float) -> tuple[Path, Path]:
    """Write two dates of a drawn landscape: light differs, a few patches changed.

    Args:
        folder: where `<side>_before.tif` and `<side>_after.tif` shall lie.
        side: width and height in pixels.
        resolution: size of a pixel in metres.

    Returns:
        Both paths: three bands of uint8 in EPSG:32633.
    """
    paths = folder / f"{side}_before.tif", folder / f"{side}_after.tif"
    profile = {
        "driver": "GTiff",
        "count": 3,
        "dtype": "uint8",
        "width": side,
        "height": side,
        "crs": "EPSG:32633",
        "transform": Affine(resolution, 0.0, 500_000.0, 0.0, -resolution, 5_400_000.0),
        "tiled": True,
        "blockxsize": _SQUARE,
        "blockysize": _SQUARE,
        "compress": "deflate",
        "zlevel": 1,
    }
    ground, grain = _ground()
    with (
        rasterio.open(paths[0], "w", **profile) as before,
        rasterio.open(paths[1], "w", **profile) as after,
    ):
        for row in range(0, side, _SQUARE):
            for col in range(0, side, _SQUARE):
                dates = _square(ground, grain, (row + col) // _SQUARE)
                high, wide = min(_SQUARE, side - row), min(_SQUARE, side - col)
                for raster, date in zip((before, after), dates, strict=True):
                    place = Window(col, row, wide, high)
                    raster.write(date[:, :high, :wide], window=place)
    return paths


def _ground() -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """(3, square, square) ground in 10..230, and noise of the same shape."""
    chance = np.random.default_rng(1)
    noise = chance.standard_normal((3, _SQUARE, _SQUARE))
    coarse, fine = (gaussian_filter(noise, (0, width, width)) for width in (9, 2))
    rough = coarse / coarse.std() + fine / fine.std()
    ground = np.clip(120 + 30 * rough, 10, 230).astype(np.uint8)
    return ground, chance.normal(0.0, 2.0, ground.shape)


def _square(
    ground: NDArray[np.uint8], grain: NDArray[np.float64], number: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both dates of a square; the patch that changed lies elsewhere in each."""
    before = np.rot90(ground, number, axes=(1, 2))
    after = np.clip(0.9 * before + 10.0 + grain, 0, 255).astype(np.uint8)
    row, col = 40 + 37 * number % 300, 40 + 61 * number % 300
    after[:, row : row + 90, col : col + 120] = ground[:, :90, :120] // 3
    return before, after
