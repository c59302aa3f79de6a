"""Land cover of one date's pixels, by indices or by colour, as the bands allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geosim.themes import colour
from geosim.themes.cover import NEEDED, spectral_cover, texture

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from geosim.themes.tones import Tones


def is_spectral(roles: Sequence[str]) -> bool:
    """True where the bands allow indices, False where colour has to do."""
    return set(roles) >= NEEDED


def land_cover(
    values: NDArray[np.float32],
    roles: Sequence[str],
    tones: Tones,
    metres: float | None,
) -> NDArray[np.float32]:
    """Memberships (7, height, width) of one date's pixels, 0..1.

    Args:
        values: (roles, height, width) file values.
        roles: of the bands.
        tones: how the date's numbers become reflectances.
        metres: size of a pixel on the ground; None: not known.
    """
    bands = dict(zip(roles, tones.apply(values), strict=True))
    if not is_spectral(roles):
        return colour.colour_cover(bands, metres)
    rough = texture(bands["red"] + bands["green"])
    return spectral_cover(bands, rough, tones.water)
