"""The pictures of similar and dissimilar pairs, each once, and the pairs among them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geosim.images.models import working_size
from geosim.images.pixels import resized
from geosim.images.reading import read_picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.siamese.metric import PairIndex
    from geosim.training.similar_pairs import SimilarPair


@dataclass(frozen=True, kw_only=True)
class PairPictures:
    """What is learned from and what is held out."""

    pictures: list[Path]
    """Each once, in the order in which the pairs name them."""
    training: PairIndex
    held_out: PairIndex

    @property
    def counts(self) -> tuple[int, int]:
        """Pairs learned from and pairs held out."""
        return len(self.training.similar), len(self.held_out.similar)

    def digest(self) -> str:
        """Checksum of the pictures' contents and of what is said of which pair."""
        found = hashlib.sha256()
        for path in self.pictures:
            found.update(hashlib.sha256(path.read_bytes()).digest())
        for part in ("first", "second", "similar"):
            for index in (self.training, self.held_out):
                found.update(getattr(index, part).tobytes())
        return found.hexdigest()


def gather_pictures(
    training: Sequence[SimilarPair], held_out: Sequence[SimilarPair]
) -> PairPictures:
    """All pictures once, and the pairs by their places."""
    every = [*training, *held_out]
    both = [place for pair in every for place in (pair.first, pair.second)]
    pictures = list(dict.fromkeys(both))
    where = {path: place for place, path in enumerate(pictures)}
    return PairPictures(
        pictures=pictures,
        training=_index(training, where),
        held_out=_index(held_out, where),
    )


def _index(pairs: Sequence[SimilarPair], where: dict[Path, int]) -> PairIndex:
    from geosim.siamese.metric import PairIndex

    return PairIndex(
        first=np.array([where[pair.first] for pair in pairs], np.int64),
        second=np.array([where[pair.second] for pair in pairs], np.int64),
        similar=np.array([pair.similar for pair in pairs], np.bool_),
    )


def read_working_size(path: Path) -> NDArray[np.float32]:
    """A picture in the size in which it will be embedded."""
    picture = read_picture(path, at_most=1024)
    return resized(picture.pixels, *working_size(*picture.size))
