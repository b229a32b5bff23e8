"""The hourglass over RoIs: every cell sees the whole person, and sizes come out as they went in."""

from __future__ import annotations

import pytest
import torch

from mili_core.nets.hourglass import Hourglass


@pytest.mark.parametrize("side", [7, 14])
def test_it_gives_back_the_size_and_a_small_level(side: int) -> None:
    glass = Hourglass(5, 8, 2).eval()
    fine, whole = glass(torch.randn(3, 5, side, side))
    assert fine.shape == (3, 8, side, side)
    assert whole.shape[:2] == (3, glass.whole_width)
    assert max(whole.shape[2:]) <= side // 2


def test_nobody_is_nobody() -> None:
    fine, whole = Hourglass(5, 8, 1).eval()(torch.zeros(0, 5, 14, 14))
    assert len(fine) == len(whole) == 0


def test_a_cell_sees_the_opposite_corner() -> None:
    """Which leg is the left one is seen at the other end of the person; plain convolutions do not reach so far."""
    torch.manual_seed(1)
    glass = Hourglass(4, 8, 2).eval()
    rois = torch.randn(1, 4, 14, 14, requires_grad=True)
    glass(rois)[0][0, :, 0, 0].sum().backward()
    assert rois.grad is not None
    assert rois.grad[0, :, 13, 13].abs().sum() > 0
