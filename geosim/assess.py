"""From answered samples to accuracies and areas with their error.

Sources: Olofsson et al. 2014 (doi:10.1016/j.rse.2014.02.015); where the strata are not
the map's classes, Stehman 2014 (doi:10.1080/01431161.2014.930207).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geosim.assessing.answers import answered_samples
from geosim.assessing.files import FILES, as_dict, write_into
from geosim.assessing.options import AssessOptions
from geosim.assessing.sample_files import label_of, read_design
from geosim.assessment.estimating import LEAST_ANSWERS, estimate, tally
from geosim.errors import SampleError
from geosim.raster.output_folder import check_folder
from geosim.raster.staging import publish_folder, work_folder
from geosim.themes.classes import NO_CHANGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geosim.assessing.sample_files import SampleDesign
    from geosim.assessment.estimating import Estimates

_FEW_FOUND = 5
"""Samples of a class found outside of where it is mapped, below which the normal
interval of its area is too narrow more often than it says."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the answers say of a map."""

    design: SampleDesign
    """Of the sample."""
    classes: tuple[str, ...]
    """Classes of map and reference, in the order of all that follows."""
    counts: NDArray[np.int64]
    """(strata, map classes, reference classes), answers."""
    estimates: Estimates
    """Shares of the area, accuracies, standard errors."""
    corrected: bool
    """True: with the finite population correction, since strata are not classes."""
    notes: tuple[str, ...]
    """What a reader should know, one sentence each."""
    folder: Path
    """Where the files are."""

    @property
    def total(self) -> float:
        """Area of all strata: square metres, without a CRS pixels."""
        return float(sum(self.design.areas))

    @property
    def mapped(self) -> NDArray[np.float64]:
        """(classes,), share of the area that each class has on the map, 0..1.

        Exact, from counting pixels, where each stratum is of one class.
        """
        shares = np.zeros(len(self.classes))
        for stratum, area in zip(self.design.strata, self.design.areas, strict=True):
            shares[self.classes.index(stratum.map_class)] += area / self.total
        return shares

    @property
    def paths(self) -> dict[str, Path]:
        """The files, by kind."""
        return {key: self.folder / name for key, name in FILES.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, as in `assessment.json`."""
        return as_dict(self)


def assess_sample(
    samples: str | Path,
    out: str | Path | None = None,
    options: AssessOptions | None = None,
) -> Assessment:
    """Estimate accuracies and areas from the answers of a sample.

    Args:
        samples: GeoPackage that `draw_sample` wrote, with answers in `reference`.
        out: folder of the result; None: `assessment_<name>` here.
        options: how; the defaults where None.

    Returns:
        Error matrix, accuracies, areas with standard errors; its files are in `out`.

    Raises:
        SampleError: samples lack answers, were moved, lost or doubled.
        GeosimError: a file cannot be read or written; nothing half-written is left.
    """
    options = options or AssessOptions()
    path = Path(samples)
    folder = Path(out) if out is not None else Path(f"assessment_{path.stem}")
    check_folder(folder, tuple(FILES.values()), overwrite=options.overwrite)
    design = read_design(path)
    found, notes = answered_samples(path, design, options)
    result = _assessed(design, found.stratum, found.reference, notes, folder)
    with work_folder(folder) as work:
        work.keep = False
        write_into(result, work.new_result())
        publish_folder(work.result, folder, FILES["record"])
    return result


def _assessed(
    design: SampleDesign,
    stratum: NDArray[np.int64],
    reference: list[str],
    notes: tuple[str, ...],
    folder: Path,
) -> Assessment:
    """The estimates of answered samples."""
    mapped = [design.strata[number].map_class for number in stratum]
    used = set(reference) | {one.map_class for one in design.strata}
    classes = tuple(name for name in design.answers if name in used)
    numbers = {name: number for number, name in enumerate(classes)}
    _check_enough(design, stratum)
    counts = tally(
        stratum,
        np.array([numbers[name] for name in mapped]),
        np.array([numbers[name] for name in reference]),
        strata_count=len(design.strata),
        classes=len(classes),
    )
    own = [one.map_class for one in design.strata]
    corrected = len(set(own)) < len(own)
    estimates = estimate(
        counts,
        np.array(design.areas),
        np.array(design.pixels) if corrected else None,
        least=np.minimum(design.pixels, LEAST_ANSWERS),
    )
    return Assessment(
        design=design,
        classes=classes,
        counts=counts,
        estimates=estimates,
        corrected=corrected,
        notes=notes + _cautions(classes, counts),
        folder=folder,
    )


def _check_enough(design: SampleDesign, stratum: NDArray[np.int64]) -> None:
    held = Counter(stratum.tolist())
    for number, (one, pixels) in enumerate(
        zip(design.strata, design.pixels, strict=True)
    ):
        if held[number] < min(LEAST_ANSWERS, pixels):
            raise SampleError(
                f"each stratum wants at least {LEAST_ANSWERS} answers; "
                f"'{one.name}' has {held[number]}; answer more samples"
            )


def _cautions(classes: tuple[str, ...], counts: NDArray[np.int64]) -> tuple[str, ...]:
    """Where the normal interval of an area may be too narrow."""
    table = counts.sum(axis=0)
    missed = table.sum(axis=0) - np.diagonal(table)
    few = [
        name
        for name, count in zip(classes, missed, strict=True)
        if count < _FEW_FOUND and name != NO_CHANGE
    ]
    if not few:
        return ()
    names = ", ".join(f"'{label_of(name)}'" for name in few)
    text = (
        f"fewer than {_FEW_FOUND} samples of {names} lie where the map says otherwise: "
        "the 95 % interval of such an area may be too narrow; more samples there, or a "
        "buffer stratum, make it sure"
    )
    return (text,)
