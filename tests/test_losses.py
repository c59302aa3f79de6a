"""Losses against arithmetic by hand on 2 x 2 cells."""

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from geosim.siamese.losses import (  # noqa: E402
    LEVEL_MARGINS,
    contrastive_loss,
    embedding_loss,
    level_loss,
)


def by_pixels(cells, zoom=2):
    """Cells (2, 2) to pixels (1, 4, 4): each cell two by two."""
    return (
        torch.tensor(cells)
        .repeat_interleave(zoom, 0)
        .repeat_interleave(zoom, 1)[None]
        .float()
    )


EVERYWHERE = torch.ones(1, 4, 4, dtype=torch.bool)


def test_level_loss_by_hand():
    distance = torch.tensor([[[0.1, 0.2], [0.3, 0.9]]])
    changed = by_pixels([[0.0, 0.0], [1.0, 1.0]])
    found = level_loss(distance, changed, EVERYWHERE, margin=0.7)
    # near: mean of 0.01, 0.04; apart: mean of (0.7 - 0.3)^2 and 0
    assert found.item() == pytest.approx(0.025 + 0.16 / 2)


def test_half_changed_cells_are_ignored_and_others_pushed_by_their_share():
    distance = torch.tensor([[[0.5, 0.2], [0.1, 0.1]]])
    changed = by_pixels([[0.3, 0.0], [0.8, 0.0]])
    found = level_loss(distance, changed, EVERYWHERE, margin=0.5)
    near = (0.2**2 + 0.1**2) / 2
    assert found.item() == pytest.approx(near + (0.8 * 0.5 - 0.1) ** 2)


def test_mask_is_averaged_over_the_cell():
    changed = torch.zeros(1, 4, 4)
    changed[0, :2, 0] = 1  # half of the first cell: neither
    changed[0, 2:, 2:] = 1
    distance = torch.full((1, 2, 2), 0.2)
    found = level_loss(distance, changed, EVERYWHERE, margin=0.7)
    assert found.item() == pytest.approx(0.04 + 0.25)


def test_cells_that_are_not_wholly_valid_are_ignored():
    valid = EVERYWHERE.clone()
    valid[0, 0, 0] = False
    distance = torch.tensor([[[9.0, 0.2], [0.2, 0.2]]])
    changed = by_pixels([[0.0, 0.0], [0.0, 0.0]])
    found = level_loss(distance, changed, valid, margin=0.7)
    assert found.item() == pytest.approx(0.04)


def test_nothing_usable_costs_nothing_and_still_has_a_slope():
    distance = torch.full((1, 2, 2), 0.5, requires_grad=True)
    loss = level_loss(
        distance, by_pixels([[0.3, 0.3], [0.3, 0.3]]), ~EVERYWHERE, margin=1
    )
    loss.backward()
    assert loss.item() == 0
    assert distance.grad.abs().max() == 0


def test_levels_are_summed_with_their_margins():
    changed = by_pixels([[1.0, 1.0], [1.0, 1.0]])
    distances = [torch.zeros(1, n, n) for n in (4, 4, 2, 1)]
    found = contrastive_loss(distances, changed, EVERYWHERE)
    assert found.item() == pytest.approx(sum(m**2 for m in LEVEL_MARGINS))


def test_embedding_loss_by_hand():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    second = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    changed = torch.tensor([0.0, 1.0, 0.5])
    # distances 0, 1, 0.4; margin 0.9
    wanted = [0, 0, 0.5 * 0.16 + (0.45 - 0.4) ** 2]
    found = embedding_loss(first, second, changed)
    assert found.item() == pytest.approx(sum(wanted) / 3, abs=1e-6)


def test_gradient_moves_the_right_way():
    distance = torch.full((1, 2, 2), 0.3, requires_grad=True)
    changed = by_pixels([[0.0, 0.0], [1.0, 1.0]])
    level_loss(distance, changed, EVERYWHERE, margin=0.7).backward()
    assert (distance.grad[0, 0] > 0).all()  # descent makes it smaller
    assert (distance.grad[0, 1] < 0).all()
