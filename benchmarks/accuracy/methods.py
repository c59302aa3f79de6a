"""The methods of the bench: what each says about one pair.

Related methods are answered together, since they share a run: a group is a function of
a case that gives an answer for each of its names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np
import rasterio
from skimage.filters import threshold_otsu

from benchmarks.accuracy.ablation import PARTS, SCALES, parts
from geosim import ChangeOptions, detect_change
from geosim.assessing.method_answers import score_levels, unit_of
from geosim.assessment.measuring import Answer
from geosim.change.scores import (
    SCORE_LEVELS,
    UNIT_NODATA,
    ScoreScale,
    smooth,
)
from geosim.errors import GeosimError, WeightsError
from geosim.raster.grid import Window, pixel_offset
from geosim.raster.scene import open_scene
from geosim.raster.source import plain_images_welcome
from geosim.scoring.sampling import take_sample
from geosim.siamese.architecture import LEVELS, STRIDE
from geosim.siamese.shipped import DEFAULT_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from geosim.siamese.engine import Precision
    from geosim.siamese.network import SiameseVGG16
    from geosim.themes.classes import SeasonRule

OTB = "otbcli_MultivariateAlterationDetector"
"""Command of the Orfeo ToolBox; Debian has it in the package otb-bin."""

SIGMA = 5.0
"""Smoothing in pixels of the network's levels where each is measured alone."""

_MARGIN = 32
"""Mirrored pixels around a scene for the torch reference."""

_LARGEST_SUM = 21.0
"""Largest sum of distances over their scales that is told apart."""

_LARGEST_MEAN = 5.0
"""The same of a mean of logarithms."""

_LARGEST_CHI = 100.0
"""Largest root of the sum of squared MAD variates that is told apart."""

_BANDS = ("low", "mid", "high")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One pair and how it is to be looked at."""

    before: Path
    """Date 1."""
    after: Path
    """Date 2."""
    all_bands: bool
    """Whether methods that can do so read all bands."""
    scratch: Path
    """An empty folder of its own."""
    weights: str = DEFAULT_WEIGHTS
    """Of the network: a name or a path."""
    imagenet: Path | None = None
    """Weights of the untrained trunk, named as in torchvision's `vgg16()`."""
    threads: int | None = None
    """Threads of the network; None: all cores."""
    precision: Precision = "auto"
    """Of the network in `geosim change`."""
    season: SeasonRule = "auto"
    """What becomes of season in `geosim change`."""

    def options(
        self, method: Literal["siamese", "ssim", "cva", "irmad"] = "siamese"
    ) -> ChangeOptions:
        """The program's default options, but for the method and its bands."""
        any_number = method != "ssim" and self.all_bands
        return ChangeOptions(
            method=method,
            bands="all" if any_number else None,
            weights=self.weights,
            threads=self.threads,
            precision=self.precision,
            season=self.season,
        )


@dataclass(frozen=True, kw_only=True)
class View:
    """Both dates on the common grid, as the network sees them."""

    before: NDArray[np.float32]
    """(bands, height, width) in 0..1."""
    after: NDArray[np.float32]
    """As `before`."""
    valid: NDArray[np.bool_]
    """(height, width)."""
    offset: tuple[int, int]
    """(col, row) of the grid's origin on the first date's pixels."""
    metres: float | None
    """Size of a pixel on the ground; None where unknown."""


def view(case: Case) -> View:
    """Read both dates whole, normalised as `geosim change` does it."""
    options = case.options()
    with open_scene(str(case.before), str(case.after)) as scene:
        whole = Window(0, 0, scene.grid.width, scene.grid.height)
        pair = scene.read(whole)
        radiometry = take_sample(scene, options).radiometry
        before, after = radiometry.apply(pair.before, pair.after, pair.valid)
        # the common grid is cut out of the first date's pixels
        offset = pixel_offset(scene.before.grid, scene.grid) or (0, 0)
        metres = scene.grid.ground_resolution()
    return View(
        before=before, after=after, valid=pair.valid, offset=offset, metres=metres
    )


def default(case: Case) -> dict[str, Answer]:
    """`geosim change` without options: its probability, its decision, its bands."""
    result = detect_change(
        case.before, case.after, case.scratch / "default", case.options()
    )
    layers = result.read("difference")
    chance = unit_of(layers["change"])
    valid = chance != UNIT_NODATA
    decided = result.read("change")["change"] == 1
    answers = {
        "default": Answer(
            levels=chance.astype(np.uint16),
            decided=decided,
            valid=valid,
            probability=chance,
        )
    }
    for name in _BANDS:
        band = np.nan_to_num(layers[name])
        answers[name] = _by_otsu(smooth(band, valid, SIGMA), valid, 1.0)
    return answers


def classical(
    method: Literal["ssim", "cva", "irmad"],
) -> Callable[[Case], dict[str, Answer]]:
    """`geosim change --method`: its score in 16 bits, its probability, its decision."""

    def answer(case: Case) -> dict[str, Answer]:
        options = case.options(method)
        result = detect_change(case.before, case.after, case.scratch / method, options)
        chance = unit_of(result.read("difference")["change"])
        answered = Answer(
            levels=score_levels(str(case.before), str(case.after), options),
            decided=result.read("change")["change"] == 1,
            valid=chance != UNIT_NODATA,
            probability=chance,
        )
        return {method: answered}

    return answer


def _by_otsu(
    score: NDArray[np.float32], valid: NDArray[np.bool_], largest: float
) -> Answer:
    """The answer of a score alone: cut by the method of Otsu (1979), per scene."""
    levels = ScoreScale(largest=largest).levels(score, valid)
    values = levels[valid]
    mixed = values.size > 0 and values.min() < values.max()
    # Otsu's threshold belongs to the lower class
    least = int(threshold_otsu(values)) + 1 if mixed else SCORE_LEVELS + 1
    return Answer(levels=levels, decided=valid & (levels >= least), valid=valid)


def reference_levels(case: Case) -> dict[str, Answer]:
    """The four depths of the torch reference, each alone."""
    distances, valid = _distances(case, _trained(case.weights))
    return {
        level.relu: _by_otsu(distance, valid, 1.0)
        for level, distance in zip(LEVELS, distances, strict=True)
    }


def untrained(case: Case) -> dict[str, Answer]:
    """The ImageNet trunk: distances over (0.1, 0.2, 0.3, 0.4), summed and smoothed."""
    if case.imagenet is None:
        return {}
    distances, valid = _distances(case, _imagenet(case.imagenet))
    weights = 1.0 / np.array(SCALES, np.float32)
    score = np.tensordot(weights, distances, axes=1)
    return {"imagenet": _by_otsu(score, valid, float(weights.sum()))}


def without(case: Case) -> dict[str, Answer]:
    """The default's score and what it is without one of its parts."""
    seen = view(case)
    dates = (_three(seen.before), _three(seen.after))
    scores = parts(_trained(case.weights), dates, seen.valid, seen.metres)
    if case.imagenet is not None:
        untaught = parts(_imagenet(case.imagenet), dates, seen.valid, seen.metres)
        scores["no_training"] = untaught["fixed"]
    return {
        name: _by_otsu(
            score, seen.valid, _LARGEST_SUM if name == "sum" else _LARGEST_MEAN
        )
        for name, score in scores.items()
    }


def _distances(
    case: Case, model: SiameseVGG16
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Smoothed cosine distances (4, height, width) and validity of a pair."""
    import torch

    from geosim.siamese.fusion import cosine_distance

    if case.threads:
        torch.set_num_threads(case.threads)
    seen = view(case)
    height, width = seen.valid.shape
    pad = [(_MARGIN, _MARGIN + -side % STRIDE) for side in (height, width)]
    dates = [_three(date) for date in (seen.before, seen.after)]
    images = np.stack([np.pad(d, ((0, 0), *pad), mode="symmetric") for d in dates])
    with torch.inference_mode():
        found = model.activations(torch.from_numpy(images), deepest=LEVELS[-1].relu)
        resized = [
            torch.nn.functional.interpolate(
                cosine_distance(found[level.relu])[:, None],
                size=images.shape[2:],
                mode="bilinear",
                align_corners=False,
            )[0, 0].numpy()
            for level in LEVELS
        ]
    inner = slice(_MARGIN, _MARGIN + height), slice(_MARGIN, _MARGIN + width)
    smoothed = [smooth(level[inner], seen.valid, SIGMA) for level in resized]
    return np.stack(smoothed), seen.valid


def _three(date: NDArray[np.float32]) -> NDArray[np.float32]:
    return date if len(date) > 1 else np.repeat(date, 3, axis=0)


@cache
def _trained(weights: str) -> SiameseVGG16:
    from geosim.siamese.loading import create_siamese_model

    return create_siamese_model(weights=weights)


@cache
def _imagenet(path: Path) -> SiameseVGG16:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from geosim.siamese.loading import create_siamese_model

    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"--imagenet wants a safetensors file; '{path}' cannot be read ({error})"
        ) from error
    model = create_siamese_model(weights=None)
    names = model.state_dict()
    tensors = {k: v.float() for k, v in stored.items() if k in names}
    found = model.load_state_dict(tensors, strict=False)
    missing = [name for name in found.missing_keys if name.startswith("features.")]
    if missing:
        raise WeightsError(
            "--imagenet wants the convolutions of VGG16, named as in torchvision; "
            f"'{path}' lacks {missing[0]}"
        )
    return model


def otb(case: Case) -> dict[str, Answer]:
    """The Orfeo ToolBox's MAD: root of the sum of squared standardised variates.

    It gets the dates on the common grid with their own values, and knows of no nodata.
    """
    bands = "all" if case.all_bands else None
    names = [case.scratch / f"{name}.tif" for name in ("t1", "t2", "mad")]
    with open_scene(str(case.before), str(case.after), bands=bands) as scene:
        pair = scene.read(Window(0, 0, scene.grid.width, scene.grid.height))
    _write(names[0], np.where(pair.valid, pair.before, 0.0))
    _write(names[1], np.where(pair.valid, pair.after, 0.0))
    arguments = ["-in1", names[0], "-in2", names[1], "-out", names[2], "float"]
    environment = dict(os.environ)
    if case.threads:
        environment["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(case.threads)
    command = [OTB, *map(str, arguments)]
    done = subprocess.run(  # noqa: S603 - a fixed name and files of our own
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0 or not names[2].is_file():
        words = (done.stderr or done.stdout).strip().splitlines()
        raise GeosimError(
            f"{OTB} failed on '{case.before}' ({words[-1] if words else 'no message'});"
            " leave otb_mad out with --methods"
        )
    with plain_images_welcome(), rasterio.open(names[2]) as file:
        variates = file.read().astype(np.float64)
    known = variates[:, pair.valid]
    mean, spread = known.mean(axis=1), np.maximum(known.std(axis=1), 1e-12)
    standard = (variates - mean[:, None, None]) / spread[:, None, None]
    chi = np.sqrt((standard**2).sum(axis=0)).astype(np.float32)
    return {"otb_mad": _by_otsu(chi, pair.valid, _LARGEST_CHI)}


def _write(path: Path, values: NDArray[np.float32]) -> None:
    bands, height, width = values.shape
    size = {"count": bands, "height": height, "width": width}
    profile = {"driver": "GTiff", "dtype": "float32"}
    with plain_images_welcome(), rasterio.open(path, "w", **profile, **size) as file:
        file.write(values.astype(np.float32))


GROUPS: dict[tuple[str, ...], Callable[[Case], dict[str, Answer]]] = {
    ("default", *_BANDS): default,
    tuple(level.relu for level in LEVELS): reference_levels,
    ("imagenet",): untrained,
    tuple(PARTS): without,
    ("ssim",): classical("ssim"),
    ("cva",): classical("cva"),
    ("irmad",): classical("irmad"),
    ("otb_mad",): otb,
}
"""All methods, in the order of the table; those that share a run together."""

METHODS = tuple(name for names in GROUPS for name in names)
"""Their names."""


def lacking(method: str, imagenet: Path | None) -> str:
    """Why a method cannot run here, "" where it can."""
    if method == "otb_mad" and shutil.which(OTB) is None:
        return f"not installed ({OTB})"
    if method in ("imagenet", "no_training") and imagenet is None:
        return "no weights given (--imagenet FILE)"
    if method in ("imagenet", *PARTS, *(level.relu for level in LEVELS)):
        return "" if find_spec("torch") else "not installed (torch)"
    return ""
