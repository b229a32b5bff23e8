"""What our model computes at the stages of CRMH that its parity set names: from the image, and of each stage alone."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mili_core.api import Predictor
from mili_core.body import letterbox_scale, translation_from_weak
from mili_core.compat.crmh import start_pose
from mili_core.compat.raw import RawOutput, last_pixels
from mili_core.config import CRMH_R50
from mili_core.letterbox import letterbox
from mili_core.modes import CRMH_SCORE_THRESHOLD
from mili_core.nets.box_head import detect, regress
from mili_core.nets.mili import Mili
from mili_core.nets.nms import nms
from mili_core.nets.roi_align import assign_levels, roi_align
from mili_core.nets.rpn import STRIDES, RpnOutput, grid_anchors, ranked_proposals
from mili_core.nets.smpl_head import BodyState

MAP_VALUES, RPN_VALUES, FRAME_VALUES = 4096, 2048, 6000  # of each map that the set keeps
BODIES = 8  # detections whose bodies the set keeps

Arrays = dict[str, NDArray[np.generic]]


def preprocessed(predictor: Predictor, recipe: ModuleType) -> Arrays:
    """Gives the resized sizes, scales and normalised canvases of the recipe's photos, which are BGR."""
    found: Arrays = {}
    for name, bgr in recipe.frames().items():
        rgb = np.ascontiguousarray(bgr[..., ::-1])
        fitted = letterbox(rgb, always_linear=True)
        found[f"pre_{name}_size"] = np.array(fitted.pixels.shape[:2], dtype=np.int64)
        found[f"pre_{name}_scale"] = np.array([letterbox_scale(rgb.shape[1], rgb.shape[0])], dtype=np.float64)
        found |= _map(recipe, f"pre_{name}", predictor.prepare(rgb), FRAME_VALUES)
    return found


def from_image(model: Mili, raw: RawOutput, recipe: ModuleType) -> Arrays:
    """Gives the values that one network image leads to, all of its boxes among them."""
    features = raw.features
    found: Arrays = {}
    for level, one in enumerate(features.backbone, start=2):
        found |= _map(recipe, f"bb_C{level}", one, MAP_VALUES)
    for level, one in enumerate(features.fpn, start=2):
        found |= _map(recipe, f"fpn_P{level}", one, MAP_VALUES)
    for number, (logits, deltas) in enumerate(zip(features.rpn_logits, features.rpn_deltas, strict=True)):
        found |= _map(recipe, f"rpn_cls{number}", logits, RPN_VALUES)
        found |= _map(recipe, f"rpn_reg{number}", deltas, RPN_VALUES)
    found["prop_top"] = features.proposals_xyxy_plus1.numpy()
    found["prop_n"] = _count(features.proposals_xyxy_plus1)
    found["det"] = torch.cat((raw.boxes_xyxy_plus1, raw.scores[:, None]), dim=1).numpy()
    found["det_n"] = _count(raw.scores)
    best = BodyState(raw.rotmats[:BODIES], raw.betas[:BODIES], raw.cam[:BODIES])
    found |= _bodies("detsmpl", best) | {"detsmpl_trans": raw.transl_m[:BODIES].numpy()}
    return found | _given_boxes(model, features.fpn[:4], recipe)


def _given_boxes(model: Mili, levels: tuple[Tensor, ...], recipe: ModuleType) -> Arrays:
    """Returns what the heads make of the recipe's RoIs in the image's own pyramid."""
    boxes = half_open(recipe.rois())
    small, large = aligned(levels, boxes, 7), aligned(levels, boxes, 14)
    logits, deltas = model.box_head.all_classes(small)
    people = recipe.SMPL_ROIS
    return {
        "roi_level": assign_levels(boxes).numpy(),
        "roi7": small[:, ::8].numpy(),
        "roi14": large[:, ::16].numpy(),
        "roi7_stats": recipe.stats(small),
        "roi14_stats": recipe.stats(large),
        "bbox_cls": logits.numpy(),
        "bbox_reg": deltas.numpy(),
        "bbox_score": logits.softmax(dim=1)[:, 1].numpy(),
        "bbox_dec": last_pixels(regress(deltas[:, -4:], boxes, _ends(recipe, boxes), CRMH_R50)).numpy(),
        **_bodies("smpl", model.smpl_head(large[people], boxes[people])),
    }


def of_each_stage(model: Mili, recipe: ModuleType) -> Arrays:
    """Gives what every stage makes of the recipe's own inputs, so that one which is wrong stands alone."""
    boxes, edge = half_open(recipe.rois()), recipe.nms_edge()
    levels = tuple(torch.from_numpy(one) for one in recipe.stage_feats())
    logits, deltas = model.box_head.all_classes(torch.from_numpy(recipe.stage_bbox_feats()))
    bodies = model.smpl_head(torch.from_numpy(recipe.stage_smpl_feats()), boxes[recipe.SMPL_ROIS])
    weak, weak_boxes = (torch.from_numpy(one) for one in recipe.cams_boxes())
    kept = nms(half_open(edge[:, :4]), torch.from_numpy(edge[:, 4]), 0.5)
    proposals = _proposals(recipe, 0.0)
    return {
        **_anchors(recipe),
        "isorpn_top": proposals,
        "isorpn_n": _count(proposals),
        "isorpn2_top": _proposals(recipe, 3.0),
        "isoroi7": aligned(levels, boxes, 7).numpy(),
        "isoroi14": aligned(levels, boxes, 14)[:, ::2].numpy(),
        "isoroi7_outside": aligned(levels, half_open(recipe.rois_outside()), 7).numpy(),
        "isobbox_cls": logits.numpy(),
        "isobbox_reg": deltas.numpy(),
        "isodet_few": _detections(recipe, "few"),
        "isodet_many": _detections(recipe, "many"),
        "nms_edge_keep": kept.sort().values.numpy(),
        "init_contrep": start_pose(torch.from_numpy(recipe.mean_params()["pose"])).numpy(),
        **_bodies("isosmpl", bodies),
        "cam_trans": translation_from_weak(weak, weak_boxes).numpy(),
    }


def half_open(boxes: NDArray[np.float32]) -> Tensor:
    """Gives boxes from the first to the last pixel, (N, 4), as half-open ones."""
    return torch.from_numpy(boxes) + torch.tensor((0.0, 0.0, 1.0, 1.0))


def aligned(levels: tuple[Tensor, ...], boxes: Tensor, side: int) -> Tensor:
    """Gives RoI features (N, C, side, side) of boxes of one image."""
    index = torch.zeros(len(boxes), dtype=torch.int64)
    return roi_align(levels, boxes, index, side, half_pixel=CRMH_R50.roi_half_pixel)


def _anchors(recipe: ModuleType) -> Arrays:
    found: Arrays = {}
    for number, ((height, width), stride) in enumerate(zip(recipe.LEVEL_HW, STRIDES, strict=True)):
        boxes = last_pixels(_grid(height, width, stride)).numpy()
        exact = boxes.astype(np.float64)
        weight = (np.arange(len(exact)) % 97)[:, None]
        found[f"anchor{number}_first"], found[f"anchor{number}_last"] = boxes[:50], boxes[-6:]
        found[f"anchor{number}_sum"] = np.concatenate(
            ([float(len(exact))], exact.sum(axis=0), (exact * weight).sum(axis=0))
        )
    return found


def _grid(height: int, width: int, stride: int) -> Tensor:
    config = CRMH_R50
    return grid_anchors(height, width, stride, config.anchor_scale, config.anchor_ratios, whole=config.round_anchors)


def _proposals(recipe: ModuleType, raised: float) -> NDArray[np.float32]:
    """Returns the ranked proposals (P, 5) of the recipe's RPN maps, those of P2 raised by so many logits."""
    logits, deltas, anchors = [], [], []
    for logit, delta, stride in zip(*recipe.stage_rpn(raised), STRIDES, strict=True):
        logits.append(torch.from_numpy(logit).permute(0, 2, 3, 1).reshape(1, -1))
        deltas.append(torch.from_numpy(delta).permute(0, 2, 3, 1).reshape(1, -1, 4))
        height, width = logit.shape[2:]
        anchors.append(_grid(height, width, stride))
    output = RpnOutput(
        torch.cat(logits, 1), torch.cat(deltas, 1), torch.cat(anchors), tuple(len(one) for one in anchors)
    )
    ((boxes, scores),) = ranked_proposals(output, [(recipe.IMG_H, recipe.IMG_W)], CRMH_R50)
    return _scored(boxes, scores.sigmoid())


def _detections(recipe: ModuleType, name: str) -> NDArray[np.float32]:
    """Returns the people (K, 5) that the recipe's second-stage output holds."""
    rois, logits, deltas = recipe.stage_det(name)
    boxes = half_open(rois)
    moved = regress(torch.from_numpy(deltas)[:, -4:], boxes, _ends(recipe, boxes), CRMH_R50)
    scores = torch.from_numpy(logits).softmax(dim=1)[:, 1]
    found, kept, _ = detect(scores, moved, CRMH_SCORE_THRESHOLD, CRMH_R50)
    return _scored(found, kept)


def _ends(recipe: ModuleType, boxes: Tensor) -> Tensor:
    return boxes.new_tensor((recipe.IMG_W, recipe.IMG_H)).expand(len(boxes), 2)


def _scored(boxes: Tensor, scores: Tensor) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = torch.cat((last_pixels(boxes), scores[:, None]), dim=1).numpy()
    return rows


def _map(recipe: ModuleType, name: str, values: Tensor, count: int) -> Arrays:
    """Returns some values of a map in the order of channels, rows and columns, and figures of all of them."""
    plain = values.contiguous().numpy()
    return {name: recipe.pick(plain, count), f"{name}_stats": recipe.stats(plain)}


def _bodies(prefix: str, state: BodyState) -> Arrays:
    parts = {"rotmat": state.rotmats, "betas": state.betas, "cam": state.cam}
    return {f"{prefix}_{name}": value.numpy() for name, value in parts.items()}


def _count(rows: Tensor | NDArray[np.float32]) -> NDArray[np.int64]:
    return np.array([len(rows)], dtype=np.int64)
