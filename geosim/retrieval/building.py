"""Bringing an index up to date: new pictures through the network, into the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from geosim.errors import NoDataError
from geosim.retrieval import approximate
from geosim.retrieval.indexing import new_samples

if TYPE_CHECKING:
    from geosim.images.models import ImageModel
    from geosim.progress import Progress
    from geosim.retrieval.index_writer import IndexWriter
    from geosim.retrieval.records import Source
    from geosim.retrieval.samples import Sample
    from geosim.search_options import IndexOptions

_BATCH = 16
"""Pictures that run together and are written together."""


class Building:
    """One call of `build_index`: what was added, dropped and skipped."""

    def __init__(
        self,
        writer: IndexWriter,
        model: ImageModel,
        options: IndexOptions,
        progress: Progress | None,
        sources: int,
    ) -> None:
        self._writer, self._model, self._options = writer, model, options
        self._progress, self._sources = progress, sources
        self.added = self.removed = 0
        self.skipped: list[str] = []

    def update(self, source: Source, place: int) -> None:
        """Bring what is known of a source up to date."""
        number = self._writer.source(source)
        done = self._writer.finished(number)
        found = new_samples(
            source, self._writer.stamps(number), self._options, finished=done
        )
        self._writer.remove(number, found.gone)
        self.removed += len(found.gone)
        waiting: list[tuple[Sample, bytes]] = []
        for share, sample, small in found.samples:
            if sample is not None:
                waiting.append((sample, small))
            if len(waiting) == _BATCH:
                self._embed(number, waiting)
            self._tell(place + share)
        self._embed(number, waiting)
        self._writer.finish(number, found.stamp)
        self.skipped += found.skipped
        self._tell(place + 1)

    def look_for_gone(self) -> None:
        """Tell of sources that are not there any more; a disk may come back."""
        for path, count in self._writer.held():
            if not Path(path).exists():
                self.skipped.append(
                    f"{path}: is gone; what the index holds of it ({count:,}) stays "
                    "and is found; --rebuild makes it anew of what is named"
                )

    def check(self) -> None:
        """Refuse where there is nothing in the end."""
        if self._writer.count():
            return
        why = f": {self.skipped[0]}" if self.skipped else ""
        raise NoDataError(
            f"no picture that can be read was found{why}; a folder of JPEG, PNG, TIFF "
            "or WebP files, a video or a raster is wanted"
        )

    def _embed(self, number: int, waiting: list[tuple[Sample, bytes]]) -> None:
        if not waiting:
            return
        vectors = self._model.describe([sample.pixels for sample, _ in waiting])
        entries = [sample.entry for sample, _ in waiting]
        self._writer.add(number, entries, vectors, [small for _, small in waiting])
        self.added += len(waiting)
        waiting.clear()

    def _tell(self, done: float) -> None:
        if self._progress is not None:
            self._progress("indexing", done, self._sources)


def add_graph(writer: IndexWriter, options: IndexOptions) -> None:
    """Approximate search for a large collection, where usearch is installed."""
    if writer.count() < approximate.APPROXIMATE_FROM or writer.has_graph():
        return
    if approximate.available():
        found = approximate.build_graph(writer.embeddings(), options.thread_count)
        writer.put_graph(found)
