"""From sources to samples: what is new is read ahead of the network, in threads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from geosim.errors import GeosimError, OptionError, PictureReadError
from geosim.images.decoding import load_decoders
from geosim.images.reading import find_pictures, read_picture
from geosim.machine.overlapping import ahead
from geosim.retrieval import tiles, video
from geosim.retrieval.records import Entry, Source
from geosim.retrieval.samples import LONGEST_SIDE, Sample
from geosim.retrieval.sheet import thumbnail

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from geosim.search_options import IndexOptions

_READERS = 2
"""Threads that read pictures while the network runs; decoding takes a few percent."""

_AHEAD = 32
"""Pictures that are read ahead at most."""

_GEOREFERENCED = (".tif", ".tiff")
"""Suffixes of pictures that may lie on the Earth."""

DEFAULT_EVERY = 1.0
"""Seconds between frames unless something else is asked for."""


@dataclass(kw_only=True)
class Found:
    """What a source has that the index has not, read one after another."""

    samples: Iterator[tuple[float, Sample | None, bytes]]
    """Share of the source that is done, a picture (None: none yet) and its
    thumbnail."""
    total: int
    """Number of pictures to come; 0: not known before they are read."""
    gone: list[str] = field(default_factory=list)
    """Names that the index has and the source has no more."""
    stamp: str = ""
    """Of a video or a raster: size and time of change of the file."""
    skipped: list[str] = field(default_factory=list)
    """What could not be read, and why; grows while `samples` is read."""


def describe_source(path: str | Path, options: IndexOptions) -> Source:
    """What a path is: a folder, a video, or else a raster.

    Raises:
        OptionError: it does not exist.
    """
    path = Path(path).absolute()
    if path.is_dir():
        return Source(kind="folder", path=str(path))
    if not path.exists():
        raise OptionError(
            f"a folder, a video or a raster is wanted; there is no '{path}'; check "
            "the path"
        )
    if path.suffix.lower() in video.SUFFIXES:
        if options.scenes is not None:
            settings = f"scenes {options.scenes:g}"
        else:
            settings = f"every {_every(options):g} s"
        return Source(kind="video", path=str(path), settings=settings)
    settings = f"tiles {options.tile_size} overlap {options.overlap}"
    if options.bands:
        settings += f" bands {options.bands}"
    return Source(kind="raster", path=str(path), settings=settings)


def new_samples(
    source: Source, known: Mapping[str, str], options: IndexOptions, *, finished: str
) -> Found:
    """What of a source is not in the index yet.

    Args:
        source: from `describe_source`.
        known: name and stamp of what the index has of it.
        options: how to cut videos and rasters.
        finished: stamp with which a video or a raster was read to its end.

    Raises:
        GeosimError: the source as a whole cannot be read.
    """
    if source.kind == "folder":
        return _of_folder(source, known)
    stamp = stamp_of(Path(source.path))
    if finished == stamp:
        return Found(samples=iter(()), total=0, stamp=stamp)
    gone = [name for name, old in known.items() if old != stamp]
    skip = {name for name, old in known.items() if old == stamp}
    if source.kind == "video":
        wanted = (
            video.scenes(options.scenes)
            if options.scenes is not None
            else video.every(_every(options))
        )
        told: list[str] = []
        frames = video.frames(
            source, stamp, wanted, skip=skip.__contains__, tell=told.append
        )
        return Found(
            samples=_with_thumbnails(frames),
            total=0,
            gone=gone,
            stamp=stamp,
            skipped=told,
        )
    return _of_raster(source, stamp, options, skip=skip, gone=gone)


def stamp_of(path: Path) -> str:
    """Size and time of change: another stamp, another content."""
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}"


def read_one(source: Source, name: str, stamp: str) -> Sample:
    """One picture of a folder.

    A TIFF with coordinates is read as a raster, any other picture as such.

    Raises:
        GeosimError: it cannot be read.
    """
    path = Path(source.path) / name
    if path.suffix.lower() in _GEOREFERENCED and (
        found := _georeferenced(source, path, name, stamp)
    ):
        return found
    picture = read_picture(path, at_most=LONGEST_SIDE)
    width, height = picture.original_size
    entry = Entry(source=source, name=name, width=width, height=height, stamp=stamp)
    return Sample(entry=entry, pixels=picture.pixels)


def read_alone(path: str | Path) -> NDArray[np.float32]:
    """A file as an index of its folder would hold it, (3, height, width) in 0..1.

    Raises:
        GeosimError: it cannot be read.
    """
    path = Path(path)
    source = Source(kind="folder", path=str(path.parent))
    return read_one(source, path.name, "").pixels


def _georeferenced(source: Source, path: Path, name: str, stamp: str) -> Sample | None:
    """A raster as one picture; None where it has no coordinates."""
    with tiles.open_placed(str(path)) as reader:
        if reader is None or reader.grid.crs is None:
            return None
        grid = reader.grid
        window = (0, 0, grid.width, grid.height)
        pixels = reader.read(window, at_most=LONGEST_SIDE)
        if pixels is None:
            raise PictureReadError(f"'{path}' has hardly any data")
        entry = Entry(
            source=source,
            name=name,
            width=grid.width,
            height=grid.height,
            stamp=stamp,
            place=tiles.place_of(grid, window),
        )
    return Sample(entry=entry, pixels=pixels)


def _every(options: IndexOptions) -> float:
    return DEFAULT_EVERY if options.every is None else options.every


def _of_folder(source: Source, known: Mapping[str, str]) -> Found:
    root = Path(source.path)
    skipped = _videos_below(root)
    stamps = _stamps(root, skipped)
    new = [name for name, stamp in stamps.items() if known.get(name) != stamp]

    def read(name: str) -> tuple[Sample, bytes] | None:
        try:
            sample = read_one(source, name, stamps[name])
        except (GeosimError, OSError, MemoryError) as error:
            said = " ".join(str(error).split())
            whole = f"'{root / name}' "
            skipped.append(f"{name}: {said.removeprefix(whole)}")
            return None
        return sample, thumbnail(sample.pixels)

    load_decoders()
    return Found(
        samples=_shares(ahead(read, new, _AHEAD, threads=_READERS), len(new)),
        total=len(new),
        gone=[name for name in known if name not in stamps],
        skipped=skipped,
    )


def _videos_below(root: Path) -> list[str]:
    """A line on videos, which are indexed one by one, not with their folder."""
    inside = (path.relative_to(root) for path in root.rglob("*"))
    found = sorted(
        path.as_posix()
        for path in inside
        if path.suffix.lower() in video.SUFFIXES
        and not any(part.startswith(".") for part in path.parts)
    )
    if not found:
        return []
    first = found[0].encode(errors="replace").decode()
    more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
    return [f"{first}{more}: videos are indexed one by one; name them beside '{root}'"]


def _stamps(root: Path, skipped: list[str]) -> dict[str, str]:
    """Name and stamp of every picture below a folder."""
    found = {}
    for path in find_pictures(root):
        name = path.relative_to(root).as_posix()
        try:
            name.encode()  # bytes that are no UTF-8 cannot be stored
            found[name] = stamp_of(path)
        except UnicodeEncodeError:
            shown = name.encode(errors="replace").decode()
            skipped.append(f"{shown}: its name is not in UTF-8; rename it")
        except OSError as error:  # it went while the others were listed
            skipped.append(f"{name}: {error.strerror}")
    return found


def _of_raster(
    source: Source,
    stamp: str,
    options: IndexOptions,
    *,
    skip: set[str],
    gone: list[str],
) -> Found:
    with tiles.open_tiles(source.path, options.bands) as reader:
        windows = tiles.windows_of(reader.grid, options.tile_size, options.overlap)
    new = [one for one in windows if f"{one[0]},{one[1]}" not in skip]

    def samples() -> Generator[tuple[Sample, bytes] | None, None, None]:
        # a dataset belongs to one thread, so one thread reads all
        with tiles.open_tiles(source.path, options.bands) as reader:

            def read(window: tuple[int, int, int, int]) -> tuple[Sample, bytes] | None:
                pixels = reader.read(window, at_most=LONGEST_SIDE)
                if pixels is None:
                    return None
                entry = tiles.entry_of(reader.grid, source, stamp, window)
                return Sample(entry=entry, pixels=pixels), thumbnail(pixels)

            with closing(ahead(read, new, _AHEAD)) as found:
                yield from found

    return Found(
        samples=_shares(samples(), len(new)), total=len(new), gone=gone, stamp=stamp
    )


def _shares(
    samples: Generator[tuple[Sample, bytes] | None, None, None], total: int
) -> Iterator[tuple[float, Sample | None, bytes]]:
    with closing(samples):
        for done, found in enumerate(samples, start=1):
            sample, small = found or (None, b"")
            yield done / total, sample, small


def _with_thumbnails(
    samples: Iterator[tuple[float, Sample | None]],
) -> Iterator[tuple[float, Sample | None, bytes]]:
    def read(_: None) -> tuple[float, Sample | None, bytes] | None:
        found = next(samples, None)  # None: there are no more
        if found is None:
            return None
        share, sample = found
        return share, sample, thumbnail(sample.pixels) if sample else b""

    # a container belongs to one thread, so one thread reads all
    with closing(ahead(read, repeat(None), _AHEAD)) as read_ahead:
        for found in read_ahead:
            if found is None:
                return
            yield found
