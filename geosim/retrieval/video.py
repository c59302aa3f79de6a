"""Frames of a video, by PyAV: one every so many seconds, or where the picture changes.

The container may come from a stranger: only the first video stream is decoded, frame by
frame, and reduced before it is kept.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.errors import MissingDependencyError, PictureReadError
from geosim.retrieval.records import Entry, Source
from geosim.retrieval.samples import LONGEST_SIDE, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg"),
        *("mpeg", "ts", "mts", "m2ts", "wmv", "flv", "ogv"),
    )
)
"""Endings of file names, lower case, that are taken for a video."""

_GLANCE = (48, 27)
"""Width and height of the copies that scenes are told apart by."""

_SHORT_SECONDS, _SHORT_SHARE = 2.0, 0.05
"""A video that ends earlier than it says by more than both of these is told of: some
say a little too much."""

_QUARTER = 90
"""Degrees of a quarter turn."""


def frames(
    source: Source,
    stamp: str,
    wanted: Callable[[float, NDArray[np.uint8]], bool],
    *,
    skip: Callable[[str], bool],
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[float, Sample | None]]:
    """Frames of a video that are wanted, in their order.

    Args:
        source: the video.
        stamp: of its file.
        wanted: is asked of every frame, with its seconds and a small copy (27, 48, 3).
        skip: tells names of frames that need not be read.
        tell: hears, at the end, of a video that ends before its time.

    Yields:
        Share of the video that is done, and a frame; None between frames.

    Raises:
        PictureReadError: it is no video or is damaged.
        MissingDependencyError: PyAV is not installed.
    """
    with _opened(source.path) as (container, stream):
        length = float(stream.duration * stream.time_base) if stream.duration else 0.0
        start, last, seconds = None, "", 0.0
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            start = frame.time if start is None else start
            seconds = frame.time - start
            share = min(seconds / length, 1.0) if length else 0.0
            glance = frame.reformat(*_GLANCE, format="rgb24").to_ndarray()
            entry = _entry(source, stamp, seconds, frame)
            # of frames within a millisecond, which have one name, the first counts
            again, last = entry.name == last, entry.name
            if wanted(seconds, glance) and not (again or skip(entry.name)):
                yield share, Sample(entry=entry, pixels=_pixels(frame))
            else:
                yield share, None
    if length - seconds > max(_SHORT_SECONDS, _SHORT_SHARE * length):
        tell(
            f"{Path(source.path).name}: ends after {seconds:.0f} of {length:.0f} s; is "
            "the file complete?"
        )


def every(seconds: float) -> Callable[[float, NDArray[np.uint8]], bool]:
    """The first frame of each stretch of so many seconds is wanted.

    Args:
        seconds: length of a stretch; 0: every frame.
    """
    last = -1

    def wanted(at: float, glance: NDArray[np.uint8]) -> bool:
        nonlocal last
        del glance
        if not seconds:
            return True
        # times are whole ticks of the video's clock: 2.9999 s is the third second
        stretch = int((at + 1e-3) / seconds)
        new, last = stretch > last, max(stretch, last)
        return new

    return wanted


def scenes(threshold: float) -> Callable[[float, NDArray[np.uint8]], bool]:
    """A frame is wanted where the picture is another than in the last wanted one.

    Args:
        threshold: mean difference of the small copies, 0..1, that makes another.
    """
    last: NDArray[np.int16] | None = None

    def wanted(at: float, glance: NDArray[np.uint8]) -> bool:
        nonlocal last
        del at
        now = glance.astype(np.int16)
        if last is not None and np.abs(now - last).mean() < threshold * 255:
            return False
        last = now
        return True

    return wanted


@contextmanager
def _opened(path: str) -> Iterator[tuple[Any, Any]]:
    """Container and first video stream."""
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError(
            f"videos need PyAV, which cannot be imported ({error}); install it with: "
            "pip install 'geosim[video]'"
        ) from error
    name = Path(path).name
    try:
        with av.open(path) as container:
            if not container.streams.video:
                raise PictureReadError(
                    f"'{name}' has no pictures, only sound or text; a video is wanted"
                )
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        if isinstance(error, PictureReadError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureReadError(
            f"'{path}' cannot be read as a video ({reason}); is the file complete?"
        ) from error


def _entry(source: Source, stamp: str, seconds: float, frame: Any) -> Entry:  # noqa: ANN401
    turned = _turns(frame) % 2 == 1
    width, height = frame.width, frame.height
    return Entry(
        source=source,
        name=f"{seconds:.3f} s",
        width=height if turned else width,
        height=width if turned else height,
        stamp=stamp,
        time=round(seconds, 3),
    )


def _pixels(frame: Any) -> NDArray[np.float32]:  # noqa: ANN401
    """A frame upright, reduced, (3, height, width) in 0..1."""
    step = min(LONGEST_SIDE / max(frame.width, frame.height), 1.0)
    size = [max(round(side * step), 1) for side in (frame.width, frame.height)]
    small = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
    upright = np.rot90(small, _turns(frame))
    pixels = np.ascontiguousarray(np.moveaxis(upright, -1, 0), np.float32)
    return pixels / np.float32(255)


def _turns(frame: Any) -> int:  # noqa: ANN401
    """Quarter turns against the clock that bring a frame upright."""
    return round(getattr(frame, "rotation", 0) / _QUARTER) % 4
