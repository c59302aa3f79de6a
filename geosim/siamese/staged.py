"""The network in two graphs: the first layers tile by tile, the others on whole blocks.

Half of the layers' work and nearly all of their memory is at the size of the image,
where a cell sees a few pixels around it only. So a block goes through them in small
tiles with a narrow margin, and what is left of it, 128 channels of a sixteenth of the
pixels and of 8 bits each, goes through the others at once. The numbers are those of
`graph.build_graph`; a block takes a third of the memory, so blocks can be larger and
less of the work is spent on their margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.siamese.architecture import (
    CONVOLUTIONS,
    EMBEDDING_RELU,
    LEVELS,
    TERMS,
    reach,
)
from geosim.siamese.distance_graph import fused, level_maps, mean_of_band, spread_map
from geosim.siamese.graph import centred, compile_graph, pooled, trunk
from geosim.siamese.runtime import openvino, ops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geosim.siamese.quantization import Quantization

    Arrays = Mapping[str, NDArray[np.float32]]

LAST = "relu2_2"
"""The last activation of the first graph."""

_CUT = 1 + [layer.relu for layer in CONVOLUTIONS].index(LAST)
FIRST_LAYERS, OTHER_LAYERS = CONVOLUTIONS[:_CUT], CONVOLUTIONS[_CUT:]

CELL = OTHER_LAYERS[0].stride
"""Pixels per cell of what goes from one graph to the other."""

_OWN = {v.relu: v.stride for v in LEVELS if v.stride < CELL}
_DEEP = {v.relu: v.stride for v in LEVELS if v.stride >= CELL}

TILE_MARGIN = -(-(reach(LAST) + _OWN[LAST] * 3 // 2 - 1) // CELL) * CELL
"""Pixels around a tile that its distances and cells depend on."""

SMALL_TILE, LARGE_TILE = 256, 512
"""Sides of a tile without its margin. A large one takes 200 MB and saves margin; it is
for blocks from `_LARGE_FROM` pixels on, which take more than that in any case."""

_LARGE_FROM = 4_000_000

_LEVELS = np.float32(255)


def build_first_graph(
    arrays: Arrays,
    quantization: Quantization | None,
    size: tuple[int, int],
) -> openvino.Model:
    """The layers at the size of the image.

    Args:
        arrays: as `graph.build_graph` takes them.
        quantization: likewise.
        size: height and width of the input, multiples of 4.

    Returns:
        A model of the two inputs of `graph.build_graph` and of three outputs: its part
        of the score and the distance low, (1, 1, height, width), and what the other
        graph reads, (2, channels, height / 4, width / 4) uint8 or float32.
    """
    image = ops.parameter([2, 3, *size], np.float32, name="pair")
    term_weights = ops.parameter([len(TERMS)], np.float32, name="term_weights")
    kept = trunk(centred(image), FIRST_LAYERS, arrays, quantization, _OWN)
    cells = kept[LAST]
    if quantization:
        low, high = _range(quantization)
        cells = ops.fake_quantize(cells, low, high, np.float32(0), _LEVELS, 256)
        kept[LAST] = _values(cells, quantization)
    cells = ops.convert(pooled(cells), cell_type(quantization))
    maps = level_maps(kept, _OWN)
    outputs = [fused(maps, term_weights), mean_of_band(maps, "low"), cells]
    return openvino.Model(outputs, [image, term_weights], "first_layers")


def build_other_graph(
    arrays: Arrays,
    quantization: Quantization | None,
    size: tuple[int, int],
) -> openvino.Model:
    """The layers from a quarter of the image's size on.

    Args:
        arrays: as `graph.build_graph` takes them.
        quantization: likewise.
        size: height and width of the image, multiples of 16.

    Returns:
        A model of two inputs, what `build_first_graph` gives and the weights of the
        terms, and of four outputs: its part of the score, the distances mid and high,
        (1, 1, height, width), and the last features, (2, channels, height / 16,
        width / 16).
    """
    channels = _cell_channels(arrays)
    shape = [2, channels, size[0] // CELL, size[1] // CELL]
    cells = ops.parameter(shape, cell_type(quantization), name="cells")
    term_weights = ops.parameter([len(TERMS)], np.float32, name="term_weights")
    flow = cells
    if quantization:
        flow = _values(ops.convert(cells, np.float32), quantization)
    wanted = (*_DEEP, EMBEDDING_RELU)
    kept = trunk(flow, OTHER_LAYERS, arrays, quantization, wanted)
    maps = level_maps(kept, _DEEP) | spread_map(kept)
    outputs = [fused({"spread": maps["spread"]}, term_weights)]
    outputs += [mean_of_band(maps, band) for band in ("mid", "high")]
    outputs.append(kept[EMBEDDING_RELU])
    return openvino.Model(outputs, [cells, term_weights], "other_layers")


def cell_type(quantization: Quantization | None) -> type[np.generic]:
    """Type of what goes from one graph to the other."""
    return np.uint8 if quantization else np.float32


def _cell_channels(arrays: Arrays) -> int:
    """Channels of what goes from one graph to the other."""
    return int(arrays[f"{OTHER_LAYERS[0].name}.weight"].shape[1])


def _range(quantization: Quantization) -> tuple[np.float32, np.float32]:
    """Lowest and highest value that enters the other graph."""
    low, high = quantization.ranges[OTHER_LAYERS[0].name]
    return np.float32(low), np.float32(high)


def _values(levels: Any, quantization: Quantization) -> Any:  # noqa: ANN401
    """What levels 0..255 stand for."""
    low, high = _range(quantization)
    values = ops.multiply(levels, np.float32((high - low) / _LEVELS))
    return ops.add(values, low) if low else values


def tiles(length: int, core: int) -> tuple[int, list[tuple[int, slice]]]:
    """Cut a side of a block into parts of one size that overlap by their margins.

    Args:
        length: of the side in pixels, a multiple of CELL.
        core: pixels of a part without its margin, a multiple of CELL, about.

    Returns:
        Pixels of a part with its margin, and for each where it begins and which of
        its pixels are taken; all of it multiples of CELL.
    """
    if length <= core + 2 * TILE_MARGIN:
        return length, [(0, slice(0, length))]
    count = -(-length // core)
    core = -(-length // count // CELL) * CELL
    outer = core + 2 * TILE_MARGIN
    parts = []
    for first in range(0, length, core):
        begin = min(max(first - TILE_MARGIN, 0), length - outer)
        last = min(first + core, length)
        parts.append((begin, slice(first - begin, last - begin)))
    return outer, parts


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Both graphs, compiled for blocks of one size."""

    first: openvino.CompiledModel
    other: openvino.CompiledModel
    size: tuple[int, int]
    """Height and width of a block."""
    tile: tuple[int, int]
    """Height and width of a tile with its margin."""
    rows: list[tuple[int, slice]]
    """Rows of the tiles, see `tiles`."""
    cols: list[tuple[int, slice]]
    """Columns of the tiles."""
    cell_type: type[np.generic]
    """Of what goes from one graph to the other."""
    channels: int
    """Its channels."""


def compile_stages(
    arrays: Arrays,
    quantization: Quantization | None,
    size: tuple[int, int],
    threads: int,
) -> Stages:
    """Build and compile both graphs.

    Args:
        arrays: as `graph.build_graph` takes them.
        quantization: likewise.
        size: height and width of the blocks, multiples of 16.
        threads: inference threads.
    """
    height, width = size
    core = LARGE_TILE if height * width >= _LARGE_FROM else SMALL_TILE
    high, rows = tiles(height, core)
    wide, cols = tiles(width, core)
    first = build_first_graph(arrays, quantization, (high, wide))
    other = build_other_graph(arrays, quantization, size)
    return Stages(
        first=compile_graph(first, threads),
        other=compile_graph(other, threads),
        size=size,
        tile=(high, wide),
        rows=rows,
        cols=cols,
        cell_type=cell_type(quantization),
        channels=_cell_channels(arrays),
    )


class StagedNetwork:
    """Both graphs with their buffers; for one thread at a time."""

    def __init__(self, stages: Stages) -> None:
        """Make the buffers."""
        height, width = stages.size
        self._stages = stages
        self._pair = np.empty((2, 3, *stages.tile), np.float32)
        shape = (2, stages.channels, height // CELL, width // CELL)
        self._cells = np.empty(shape, stages.cell_type)
        self._first = stages.first.create_infer_request()
        self._other = stages.other.create_infer_request()

    def __call__(
        self,
        before: NDArray[np.float32],
        after: NDArray[np.float32],
        term_weights: NDArray[np.float32],
    ) -> list[NDArray[np.float32]]:
        """Compare two dates.

        Args:
            before: (3, height, width) in 0..1.
            after: as `before`.
            term_weights: (4,) of the scene, in the order of `TERMS`.

        Returns:
            Score, low, mid, high, each (height, width), and the last features.
        """
        score, low = (np.empty(before.shape[1:], np.float32) for _ in range(2))
        for row, rows in self._stages.rows:
            for col, cols in self._stages.cols:
                high, wide = self._stages.tile
                place = slice(row, row + high), slice(col, col + wide)
                self._pair[0], self._pair[1] = before[:, *place], after[:, *place]
                found = _infer(self._first, self._pair, term_weights)
                to = _moved(rows, row), _moved(cols, col)
                score[to], low[to] = (part[0, 0, rows, cols] for part in found[:2])
                cells = found[2][..., _coarser(rows), _coarser(cols)]
                self._cells[..., _coarser(to[0]), _coarser(to[1])] = cells
        found = _infer(self._other, self._cells, term_weights)
        score += found[0][0, 0]
        # the next block will overwrite what is not copied
        mid, high_level, features = map(np.array, found[1:])
        return [score, low, mid[0, 0], high_level[0, 0], features]


def _infer(request: Any, *values: NDArray[Any]) -> list[Any]:  # noqa: ANN401
    """Outputs of a graph, which are valid until it runs again."""
    found = request.infer(list(values), share_inputs=True, share_outputs=True)
    return [found[number] for number in range(len(found))]


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _coarser(part: slice) -> slice:
    return slice(part.start // CELL, part.stop // CELL)
