"""A comparison in plain words, as the score and the model deserve them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geosim.comparison_files import ImageComparison
    from geosim.images.names import ModelName

SAME, NEARLY, RELATED, LITTLE = 0.95, 0.8, 0.5, 0.2
"""Similarities from which the words change."""

_NOTICEABLE = 0.5
"""Difference from which the heatmap is yellow."""

_NOWHERE = 0.001
"""Share of the picture below which nothing differs."""

_MOST = 0.5
"""Share of the picture from which not just parts of it differ."""

_TRAINED = "was trained to tell 1,000 kinds of everyday things apart"

MODEL_WORDS: dict[ModelName, str] = {
    "siamese": "geosim's own network looks at texture, parts and content; light, "
    "compression and size hardly count.",
    "ssim": "Structural similarity compares edges and contrast place by place; a shift "
    "or a turn lowers it, and it knows nothing of what is shown.",
    "vgg16": f"VGG16 {_TRAINED}; it compares textures and the things shown.",
    "resnet18": f"ResNet-18 {_TRAINED}; it compares mostly the things shown.",
    "resnet50": f"ResNet-50 {_TRAINED}; it compares mostly the things shown.",
    "mobilenet_v2": f"MobileNetV2, a small network, {_TRAINED}; it compares mostly the "
    "things shown.",
}
"""What each model looks at."""

_VERDICTS = (
    (
        SAME,
        "The pictures show the same: at most light, size or compression differ.",
    ),
    (
        NEARLY,
        "The pictures are very much alike: one thing, with some parts changed.",
    ),
    (RELATED, "The pictures have much in common, but clearly differ."),
    (LITTLE, "The pictures have little in common."),
    (0.0, "The pictures are unrelated, as far as this model can tell."),
)


def explain(result: ImageComparison) -> tuple[str, ...]:
    """What the figures mean, one sentence or two each.

    Args:
        result: of `compare_images`.

    Returns:
        How alike the pictures are, where they differ, what the model looks at, how the
        second was laid over the first.
    """
    combined = result.differences.combined
    known = combined[np.isfinite(combined)]
    share = float((known >= _NOTICEABLE).mean()) if known.size else 0.0
    return (
        verdict(result.similarity, share),
        spread(share, result.similarity),
        MODEL_WORDS.get(result.model, ""),  # type: ignore[call-overload]
        f"Alignment: {result.alignment.said}.",
    )


def verdict(similarity: float, share: float) -> str:
    """How alike two pictures are.

    Args:
        similarity: 0..1, of the pictures as a whole.
        share: of the picture that is yellow or red; a small object hardly moves the
            similarity, but then the pictures are not the same.
    """
    if share >= _MOST:
        similarity = min(similarity, (NEARLY + RELATED) / 2)
    elif share >= _NOWHERE:
        similarity = min(similarity, (SAME + NEARLY) / 2)
    return next(words for least, words in _VERDICTS if similarity >= least)


def spread(share: float, similarity: float) -> str:
    """How much of the picture differs, from the share that is yellow or red."""
    if share < _NOWHERE:
        return "The heatmap is blue nearly everywhere: no place stands out."
    percent = "less than 1" if share < 0.01 else f"about {round(100 * share)}"  # noqa: PLR2004
    words = f"In {percent} % of the picture, yellow and red in the heatmap, they differ"
    if similarity >= NEARLY and share < _MOST:
        return f"{words}; look there first."
    return f"{words}."
