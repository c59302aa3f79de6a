"""Pictures of the report out of the sums of the two passes."""

from types import SimpleNamespace

import numpy as np

from geosim.reporting import report_pictures


def found(means, levels):
    """What `report_pictures` reads: two pixels per cell, so sums are twice the mean."""
    valid = np.isfinite(means[0]) * 2.0
    return SimpleNamespace(
        scan=SimpleNamespace(
            preview=SimpleNamespace(
                sums=np.concatenate([valid[None], np.nan_to_num(means) * 2])
            )
        ),
        decision=SimpleNamespace(
            preview=SimpleNamespace(
                sums=np.stack([valid, levels * valid, valid * (levels > 127)])
            )
        ),
    )


def test_one_stretch_for_both_dates_and_nodata_is_told():
    means = np.full((6, 40, 50), 0.5)
    means[:3, :, :25] = 0.1  # date 1, left
    means[3:, :, 25:] = 0.9  # date 2, right
    means[:, 0, 0] = np.nan
    pictures = report_pictures(found(means, np.full((40, 50), 254.0)))
    assert pictures.before.shape == (40, 50, 3)
    assert pictures.before[5, 5].tolist() == [0, 0, 0]
    assert pictures.before[5, 30].tolist() == pictures.after[5, 5].tolist()
    assert 120 <= pictures.after[5, 5, 0] <= 135
    assert pictures.after[5, 30].tolist() == [255, 255, 255]
    assert pictures.probability[5, 5] == 1.0
    assert np.isnan(pictures.probability[0, 0])
    assert pictures.decision[0, 0] == 255
    assert pictures.decision[5, 5] == 1


def test_the_stretch_of_a_large_picture_is_from_a_sample():
    means = np.random.default_rng(2).uniform(0.2, 0.8, (6, 900, 1300))
    pictures = report_pictures(found(means, np.zeros((900, 1300))))
    shares = [(pictures.before == end).mean() for end in (0, 255)]
    assert all(0.002 < share < 0.012 for share in shares)
