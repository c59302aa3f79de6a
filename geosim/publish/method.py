"""What was done, in sentences with their sources: for the report of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geosim.publish.wording import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from geosim.publish.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A publication."""

    key: str
    """Short name, by which texts point to it."""
    text: str
    """Authors, year, title, place."""
    doi: str
    """Digital object identifier."""


REFERENCES: dict[str, Reference] = {
    item.key: item
    for item in (
        Reference(
            key="vgg",
            text="Simonyan K., Zisserman A. (2015). Very deep convolutional networks "
            "for large-scale image recognition. International Conference on Learning "
            "Representations. arXiv:1409.1556.",
            doi="10.48550/arXiv.1409.1556",
        ),
        Reference(
            key="ssim",
            text="Wang Z., Bovik A. C., Sheikh H. R., Simoncelli E. P. (2004). Image "
            "quality assessment: from error visibility to structural similarity. IEEE "
            "Transactions on Image Processing 13(4), 600-612.",
            doi="10.1109/TIP.2003.819861",
        ),
        Reference(
            key="guided",
            text="He K., Sun J., Tang X. (2013). Guided image filtering. IEEE "
            "Transactions on Pattern Analysis and Machine Intelligence 35(6), "
            "1397-1409.",
            doi="10.1109/TPAMI.2012.213",
        ),
        Reference(
            key="irmad",
            text="Nielsen A. A. (2007). The regularized iteratively reweighted MAD "
            "method for change detection in multi- and hyperspectral data. IEEE "
            "Transactions on Image Processing 16(2), 463-478.",
            doi="10.1109/TIP.2006.888195",
        ),
        Reference(
            key="bruzzone",
            text="Bruzzone L., Prieto D. F. (2000). Automatic analysis of the "
            "difference image for unsupervised change detection. IEEE Transactions on "
            "Geoscience and Remote Sensing 38(3), 1171-1182.",
            doi="10.1109/36.843009",
        ),
        Reference(
            key="otsu",
            text="Otsu N. (1979). A threshold selection method from gray-level "
            "histograms. IEEE Transactions on Systems, Man, and Cybernetics 9(1), "
            "62-66.",
            doi="10.1109/TSMC.1979.4310076",
        ),
        Reference(
            key="kapur",
            text="Kapur J. N., Sahoo P. K., Wong A. K. C. (1985). A new method for "
            "gray-level picture thresholding using the entropy of the histogram. "
            "Computer Vision, Graphics, and Image Processing 29(3), 273-285.",
            doi="10.1016/0734-189X(85)90125-2",
        ),
        Reference(
            key="karney",
            text="Karney C. F. F. (2013). Algorithms for geodesics. Journal of Geodesy "
            "87(1), 43-55.",
            doi="10.1007/s00190-012-0578-z",
        ),
        Reference(
            key="olofsson",
            text="Olofsson P., Foody G. M., Herold M., Stehman S. V., Woodcock C. E., "
            "Wulder M. A. (2014). Good practices for estimating area and assessing "
            "accuracy of land change. Remote Sensing of Environment 148, 42-57.",
            doi="10.1016/j.rse.2014.02.015",
        ),
    )
}
"""Every publication that a method paragraph may cite, by key."""

_CALIBRATED = (
    "The probability was calibrated on pairs of other places, not on this one; it "
    "orders places and does not replace a check on the ground."
)
_FITTED = (
    "The probability was fitted to this pair's own scores. Where they fall into two "
    "groups the upper one counts as change, even if nothing changed; where they do "
    "not, only what lies far above the rest, even if much did. It does not replace a "
    "check on the ground."
)


@dataclass(frozen=True, kw_only=True)
class MethodText:
    """The method in sentences, and what they cite."""

    paragraphs: tuple[str, ...]
    """Plain text; `[1]` points to the first reference."""
    references: tuple[Reference, ...]
    """In the order in which they are cited."""


def method_text(record: RunRecord, *, assessed: bool = False) -> MethodText:
    """What a run did, with the publications behind it.

    Args:
        record: of the run.
        assessed: True where the report holds an accuracy assessment.
    """
    cited: list[str] = []

    def cite(*keys: str) -> str:
        cited.extend(key for key in keys if key not in cited)
        return "[" + ", ".join(str(cited.index(key) + 1) for key in keys) + "]"

    compared = _COMPARED.get(record.method, _other)
    paragraphs = (
        " ".join([_prepared(record), compared(record, cite)]),
        " ".join([_decided(record, cite), _areas(record, cite)]),
        _how_sure(record, cite, assessed=assessed),
    )
    return MethodText(
        paragraphs=paragraphs,
        references=tuple(REFERENCES[key] for key in cited),
    )


def _prepared(record: RunRecord) -> str:
    """Grid, bands, light, shift."""
    options = record.options
    bands = ", ".join(str(band) for band in record.before.bands)
    grid = record.grid
    size = f" ({grid.resolution_m:.3g} m a pixel)" if grid.resolution_m else ""
    compared = (
        f"Both dates were compared on one grid of {grid.width:,} x {grid.height:,} "
        f"pixels{size}, bands {bands}."
    )
    parts = [compared]
    how = options.get("normalize")
    if how == "histogram":
        parts.append(
            "The second date's values were matched to the histogram of the first."
        )
    elif how == "linear":
        parts.append("The second date's values were matched to the first linearly.")
    shift = record.shift
    if shift is not None:
        done = "taken out" if shift.corrected else "left as it is"
        parts.append(
            f"Phase correlation found a shift of {shift.rows:+.2f} rows and "
            f"{shift.cols:+.2f} columns between them, which was {done}."
        )
    return " ".join(parts)


def _siamese(record: RunRecord, cite: Callable[..., str]) -> str:
    weights = record.weights
    named = f" (weights '{weights.name}', {weights.licence})" if weights else ""
    half = " with half of their channels" if weights and weights.half_width else ""
    return (
        "A Siamese network, the convolutional layers of VGG16 "
        f"{cite('vgg')}{half}, with the same weights for both dates{named}, describes "
        "them. The distances of its features at three depths, of texture and of "
        "content, and the difference in colour make one score, smoothed along the "
        f"edges in the images by a guided filter {cite('guided')} and turned into a "
        f"probability of change. The structural similarity index {cite('ssim')} is "
        "delivered beside it and decides nothing."
    )


def _ssim(record: RunRecord, cite: Callable[..., str]) -> str:
    del record
    return (
        "The score of a pixel is (1 - SSIM)/2, with the structural similarity index "
        f"{cite('ssim')} in a window of 7 pixels. {_mixture(cite)}"
    )


def _cva(record: RunRecord, cite: Callable[..., str]) -> str:
    del record
    return (
        "The score of a pixel is the length of its change vector: the root mean "
        f"square difference over the bands. {_mixture(cite)}"
    )


def _irmad(record: RunRecord, cite: Callable[..., str]) -> str:
    del record
    return (
        "The score of a pixel is the root of the chi-squared statistic of the "
        "iteratively reweighted multivariate alteration detection "
        f"{cite('irmad')}. {_mixture(cite)}"
    )


def _mixture(cite: Callable[..., str]) -> str:
    return (
        "It becomes a probability as the posterior of a mixture of two Gaussians "
        f"{cite('bruzzone')}."
    )


def _other(record: RunRecord, cite: Callable[..., str]) -> str:
    del cite
    return f"The dates were compared by the method '{record.method}'."


_COMPARED: Mapping[str, Callable[[RunRecord, Callable[..., str]], str]] = {
    "siamese": _siamese,
    "ssim": _ssim,
    "cva": _cva,
    "irmad": _irmad,
}


def _decided(record: RunRecord, cite: Callable[..., str]) -> str:
    """Threshold, objects, minimum mapping unit."""
    rule = record.threshold.rule
    source = f" {cite(rule)}" if rule in ("otsu", "kapur") else ""
    text = (
        f"Pixels with a probability of {record.threshold.value:.3f} or more{source} "
        f"count as changed ({_reason(record)}). Changed pixels that share an edge make "
        "an object"
    )
    unit = _smallest(record.options.get("min_area"), record.grid.resolution_m)
    return f"{text}; objects below {unit} were dropped." if unit else f"{text}."


def _reason(record: RunRecord) -> str:
    """Why the threshold is where it is, as part of a sentence."""
    return record.threshold.reason.strip().rstrip(".")


def _smallest(option: Any, resolution: float | None) -> str:  # noqa: ANN401
    """The minimum mapping unit in words."""
    text = str(option or "")
    if resolution is None:  # without a CRS a pixel has no size
        text = text.replace("m2", "px")
    if text.endswith("px") and resolution is not None:
        square = float(text.removesuffix("px")) * resolution**2
        return f"{text.removesuffix('px')} pixels ({number(square)} m²)"
    if text.endswith("px"):
        return f"{text.removesuffix('px')} pixels"
    return text.replace("m2", " m²")


def _areas(record: RunRecord, cite: Callable[..., str]) -> str:
    if record.grid.wkt is None:
        return "The pair has no coordinates; areas are numbers of pixels."
    return f"Areas are geodesic, on the WGS 84 ellipsoid {cite('karney')}."


def _how_sure(record: RunRecord, cite: Callable[..., str], *, assessed: bool) -> str:
    """Calibration, and how to come to areas with their error."""
    known = _CALIBRATED if record.method == "siamese" else _FITTED
    source = cite("olofsson")
    if assessed:
        return (
            f"{known} The areas with intervals are stratified estimates from a "
            f"random sample with reference labels {source}."
        )
    return (
        f"{known} Areas counted on the map carry the map's own errors and have "
        "no interval here. To report areas with 95 % confidence intervals, draw a "
        "stratified random sample (geosim sample), fill in its reference labels, and "
        f"estimate (geosim assess) {source}."
    )
