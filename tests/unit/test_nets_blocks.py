"""Box arithmetic, NMS, RoIAlign and assignment against slow plain twins."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mili_core.config import MILI_LITE
from mili_core.nets import boxes as box_math
from mili_core.nets.efficientnet_lite import STAGES, InvertedBottleneck
from mili_core.nets.nms import keep_ranked, nms
from mili_core.nets.roi_align import STRIDES, assign_levels, roi_align
from mili_core.nets.rpn import RegionProposals, grid_anchors, propose
from mili_core.training.assign import Sampling, assign_anchors, assign_rois
from mili_core.training.mask_targets import crop_masks


def random_boxes(count: int, seed: int, size: float = 100.0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, size, (count, 2))
    return torch.tensor(np.concatenate((corner, corner + rng.uniform(1, size / 2, (count, 2))), axis=1)).float()


def plain_iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def plain_nms(boxes: list[list[float]], scores: list[float], threshold: float) -> list[int]:
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept: list[int] = []
    for i in order:
        if all(plain_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def test_iou_equals_the_plain_one() -> None:
    a, b = random_boxes(20, 0), random_boxes(30, 1)
    expected = [[plain_iou(x, y) for y in b.tolist()] for x in a.tolist()]
    np.testing.assert_allclose(box_math.iou(a, b).numpy(), expected, atol=1e-5)


def test_deltas_round_trip() -> None:
    anchors, boxes = random_boxes(50, 2), random_boxes(50, 3)
    deltas = box_math.encode(boxes, anchors, box_math.BOX_STDS)
    torch.testing.assert_close(box_math.decode(deltas, anchors, box_math.BOX_STDS), boxes, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 7, 150])
@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7])
def test_nms_equals_the_greedy_loop_with_ties(count: int, threshold: float) -> None:
    boxes = random_boxes(count, count)
    scores = torch.tensor(np.random.default_rng(count).integers(0, 5, count) / 5.0).float()  # many ties
    assert nms(boxes, scores, threshold).tolist() == plain_nms(boxes.tolist(), scores.tolist(), threshold)


def test_nms_keeps_a_pair_at_exactly_the_threshold() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 5]])  # IoU exactly .5
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.4999).tolist() == [0]


def test_groups_never_suppress_each_other() -> None:
    boxes = torch.stack([random_boxes(60, seed) for seed in (1, 2, 3)])
    kept = keep_ranked(boxes, 0.3)
    for group, row in zip(boxes, kept, strict=True):
        expected = plain_nms(group.tolist(), list(range(60, 0, -1)), 0.3)
        assert row.nonzero()[:, 0].tolist() == sorted(expected)


def test_proposals_are_ranked_clipped_and_bounded() -> None:
    torch.manual_seed(0)
    config = replace(MILI_LITE, pre_nms=40, proposals=50)
    rpn = RegionProposals(config)
    torch.nn.init.normal_(rpn.logit.weight, std=1.0)
    levels = [torch.randn(2, 64, 128 // stride, 192 // stride) for stride in (4, 8, 16, 32, 64)]
    output = rpn(levels)
    for boxes, (height, width) in zip(
        propose(output, [(128, 192), (90, 100)], config), ((128, 192), (90, 100)), strict=True
    ):
        assert 0 < len(boxes) <= 50
        assert boxes.min() >= 0
        assert boxes[:, 2].max() <= width
        assert boxes[:, 3].max() <= height
        assert ((boxes[:, 2:] - boxes[:, :2]) >= 2).all()
    best = output.anchors[output.logits[0].argmax()]  # deltas are nearly 0 at the start
    first = propose(output, [(128, 192)] * 2, config)[0][0]
    assert box_math.iou(first[None], box_math.clip(best[None], torch.tensor((192.0, 128.0)))) > 0.6


def plain_roi_align(feature: np.ndarray, box: list[float], stride: int, side: int) -> np.ndarray:
    channels, height, width = feature.shape
    out = np.zeros((channels, side, side))
    for row in range(side):
        for column in range(side):
            for sub_row in (0.25, 0.75):
                for sub_column in (0.25, 0.75):
                    x = (box[0] + (box[2] - box[0]) * (column + sub_column) / side) / stride - 0.5
                    y = (box[1] + (box[3] - box[1]) * (row + sub_row) / side) / stride - 0.5
                    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
                    x0, y0 = math.floor(x), math.floor(y)
                    x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
                    fx, fy = x - x0, y - y0
                    top = feature[:, y0, x0] * (1 - fx) + feature[:, y0, x1] * fx
                    bottom = feature[:, y1, x0] * (1 - fx) + feature[:, y1, x1] * fx
                    out[:, row, column] += (top * (1 - fy) + bottom * fy) / 4
    return out


def test_roi_align_equals_the_plain_loop_on_all_levels_and_images() -> None:
    torch.manual_seed(0)
    features = [torch.randn(2, 3, 512 // stride, 832 // stride) for stride in STRIDES]
    corner = torch.rand(24, 2) * torch.tensor([700.0, 400.0]) - 20
    sides = torch.logspace(0.6, 2.9, 24)[:, None] * torch.tensor([0.6, 1.3])
    boxes = torch.cat((corner, corner + sides), dim=1)
    images = torch.arange(24) % 2
    levels = assign_levels(boxes)
    assert levels.unique().tolist() == [0, 1, 2, 3]
    pooled = roi_align(features, boxes, images, 7)
    for i, box in enumerate(boxes.tolist()):
        level = int(levels[i])
        expected = plain_roi_align(features[level][int(images[i])].numpy(), box, STRIDES[level], 7)
        np.testing.assert_allclose(pooled[i].numpy(), expected, atol=2e-4)


def test_roi_align_of_nobody() -> None:
    features = [torch.randn(1, 5, 512 // stride, 832 // stride) for stride in STRIDES]
    assert roi_align(features, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 14).shape == (0, 5, 14, 14)


def test_anchors_have_their_area_ratio_and_cell() -> None:
    anchors = grid_anchors(2, 3, 16, 8.0, (0.5, 2.0)).reshape(2, 3, 2, 4)
    width, height = anchors[..., 2] - anchors[..., 0], anchors[..., 3] - anchors[..., 1]
    torch.testing.assert_close(width * height, torch.full_like(width, 128.0**2))
    torch.testing.assert_close((height / width)[0, 0], torch.tensor([0.5, 2.0]))
    centre = (anchors[1, 2, 0, :2] + anchors[1, 2, 0, 2:]) / 2
    torch.testing.assert_close(centre, torch.tensor([40.0, 24.0]))


def test_every_person_gets_an_anchor_and_ignored_regions_give_none() -> None:
    anchors = grid_anchors(16, 26, 16, 4.0, (1.0,))
    boxes = torch.tensor([[10.0, 10, 14, 40], [200.0, 50, 260, 120]])  # the first fits no anchor well
    ignored = torch.tensor([[300.0, -50, 416, 306]])
    found = assign_anchors(anchors, boxes, ignored, (256, 416), Sampling(anchors=10_000))
    assert set(found.people.tolist()) == {0, 1}
    centres = (anchors[found.negatives, :2] + anchors[found.negatives, 2:]) / 2
    assert len(centres)
    assert ((centres[:, 0] <= 304) | (centres[:, 0] >= 400)).all()  # at the image's edge less than half lies inside


def test_rois_are_sampled_at_the_threshold() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10]])
    rois = torch.tensor([[0.0, 0, 10, 5], [0.0, 0, 10, 4.9], [50.0, 50, 60, 60]])  # IoU .5, .49, 0
    found = assign_rois(rois, boxes, torch.zeros(0, 4), Sampling(rois=8, roi_positives=0.5))
    assert found.positives.tolist() == [0]
    assert sorted(found.negatives.tolist()) == [1, 2]


def test_assignment_without_people() -> None:
    found = assign_rois(random_boxes(5, 9), torch.zeros(0, 4), torch.zeros(0, 4), Sampling())
    assert len(found.positives) == 0
    assert len(found.negatives) == 5


def test_mask_targets_measure_coverage() -> None:
    masks = torch.zeros(2, 64, 64, dtype=torch.uint8)
    masks[1, 8:40, 16:32] = 1
    full = crop_masks(masks, torch.tensor([1]), torch.tensor([[16.0, 8, 32, 40]]))
    assert full.min() == 1.0
    twice_as_wide = crop_masks(masks, torch.tensor([1]), torch.tensor([[16.0, 8, 48, 40]]))
    assert twice_as_wide[0, :, :14].min() == 1.0
    assert twice_as_wide[0, :, 14:].max() == 0.0
    beyond_the_image = crop_masks(masks, torch.tensor([1]), torch.tensor([[-16.0, 8, 0, 40]]))
    assert beyond_the_image.max() == 0.0
    assert crop_masks(masks, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4)).shape == (0, 28, 28)


def lively_bottleneck(stride: int, kernel: int) -> InvertedBottleneck:
    """Gives a block whose normalisation has statistics of its own."""
    torch.manual_seed(stride + kernel)
    block = InvertedBottleneck(8, replace(STAGES[1], kernel=kernel, channels=8), stride)
    for norm in (module for module in block.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        for tensor, low in ((norm.weight, 0.5), (norm.bias, -0.5), (norm.running_mean, -0.5), (norm.running_var, 0.5)):
            assert tensor is not None
            torch.nn.init.uniform_(tensor, low, low + 1.0)
    return block.eval()


def plainly(block: InvertedBottleneck, x: torch.Tensor) -> torch.Tensor:
    y = x
    for layer in block.layers:
        y = layer(y)
    return x + y if block.residual else y


@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (1, 5), (2, 5)])
def test_a_fixed_norm_folded_into_its_convolution_changes_neither_values_nor_gradients(
    stride: int, kernel: int
) -> None:
    block, x = lively_bottleneck(stride, kernel), torch.randn(2, 8, 13, 10)
    wanted = torch.autograd.grad(plainly(block, x).square().sum(), list(block.parameters()))
    got = torch.autograd.grad(block(x).square().sum(), list(block.parameters()))
    torch.testing.assert_close(block(x), plainly(block, x), rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_a_trained_norm_keeps_its_statistics() -> None:
    block, x = lively_bottleneck(1, 3).train(), torch.randn(4, 8, 9, 9)
    before = [norm.running_mean.clone() for norm in block.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    block(x)
    after = [norm.running_mean for norm in block.modules() if isinstance(norm, torch.nn.BatchNorm2d)]
    assert all(not torch.equal(one, two) for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize("kernel", [3, 5])
def test_gradients_in_bfloat16_point_where_those_in_float32_do(kernel: int) -> None:
    block, x = lively_bottleneck(2, kernel), torch.randn(4, 8, 16, 16)

    def gradient(amp: bool) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            loss = block(x).float().square().mean()
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(block.parameters()))])

    assert torch.nn.functional.cosine_similarity(gradient(True), gradient(False), dim=0) > 0.99
