"""What a training on similar pictures leaves: weights, model card, curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geosim
from geosim.publish.curves import Line, curves_png, running_mean
from geosim.publish.pair_card import PairTrainingRecord, pair_model_card
from geosim.raster.staging import writing
from geosim.siamese.weights import save_weights
from geosim.training.model_files import Places, put_beside

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from geosim.siamese.metric import PairFit
    from geosim.siamese.weights import LoadedWeights

    FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PairTrainResult:
    """What `train_on_pairs` wrote."""

    weights: Path
    """The weights file: for `--weights`."""
    card: Path
    """The model card, Markdown."""
    curves: Path
    """The curves, PNG."""
    record: PairTrainingRecord
    """What it was trained on and how well held-out pairs were told."""


def known_of(
    start: LoadedWeights, table: Path, counts: tuple[int, int], fit: PairFit
) -> dict[str, Any]:
    """The fields of the record that the fit tells."""
    first, best = fit.looks[0], fit.best_look
    return {
        "started_from": f"{start.record.name}, sha256 `{start.record.sha256}`",
        "licence": start.record.licence,
        "attribution": start.record.attribution,
        "trained_on": table.name,
        "pairs": counts[0],
        "held_out": counts[1],
        "steps": best.step,
        "auc_before": first.auc,
        "auc": best.auc,
        "loss_before": first.loss,
        "loss": best.loss,
        "software": f"geosim {geosim.__version__}",
    }


def write_pair_model(
    places: Places,
    fit: PairFit,
    tensors: Mapping[str, FloatArray],
    known: dict[str, Any],
) -> PairTrainResult:
    """Write weights, curves and card; then the checkpoint goes, if it is not kept."""
    name = places.weights.stem
    metadata = {
        "name": name,
        "version": "1",
        "licence": f"{known['licence']}; and the terms of the pictures",
        "attribution": known["attribution"],
        "trained_on": f"similar and dissimilar pairs: {known['trained_on']}",
    }
    looks = [look.step for look in fit.looks]
    steps = range(1, fit.step + 1)
    panels: list[tuple[str, list[Line]]] = [
        (
            "contrastive loss",
            [
                ("learned from, mean of 20", steps, running_mean(fit.losses)),
                ("held out", looks, [look.loss for look in fit.looks]),
            ],
        ),
        (
            "held out",
            [("area under the ROC curve", looks, [look.auc for look in fit.looks])],
        ),
    ]
    picture = curves_png(panels, fit.step, fit.best_look.step)
    with writing(places.weights):
        sha256 = save_weights(places.weights, tensors, metadata=metadata)
        record = PairTrainingRecord(name=name, sha256=sha256, **known)
        card = pair_model_card(
            record, weights=places.weights.name, curves=places.curves.name
        )
        put_beside(places, picture, card)
        if not known["options"]["keep_checkpoint"]:
            places.checkpoint.unlink(missing_ok=True)
    return PairTrainResult(
        weights=places.weights, card=places.card, curves=places.curves, record=record
    )
