"""The model's own numbers: network px, nothing rounded, with the features on the way, for comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.body import NETWORK_HEIGHT, NETWORK_WIDTH, translation_from_weak
from mili_core.config import Branch
from mili_core.errors import ImageError
from mili_core.nets.fpn import coarsest
from mili_core.nets.mili import Mili
from mili_core.nets.rpn import RpnOutput, ranked_proposals

CANVAS = (3, NETWORK_HEIGHT, NETWORK_WIDTH)


@dataclass(frozen=True, slots=True, eq=False)
class RawFeatures:
    """What the model computes before it looks at single people; batches of one image, float32.

    Attributes:
        backbone: C2..C5, each (1, C, H, W).
        fpn: P2..P6, each (1, C, H, W).
        rpn_logits: of P2..P6, each (1, ratios, H, W).
        rpn_deltas: of P2..P6, each (1, ratios x 4, H, W), the four numbers of an anchor side by side.
        proposals_xyxy_plus1: (P, 5) boxes as of `RawOutput`, then the score in 0..1; best first.
    """

    backbone: tuple[Tensor, ...]
    fpn: tuple[Tensor, ...]
    rpn_logits: tuple[Tensor, ...]
    rpn_deltas: tuple[Tensor, ...]
    proposals_xyxy_plus1: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class RawOutput:
    """N people of one network image, best first; float32 tensors on the predictor's device.

    Attributes:
        boxes_xyxy_plus1: (N, 4) network px from the first to the last pixel: the width is x2 - x1 + 1.
        scores: (N,) in 0..1.
        rotmats: (N, 24, 3, 3), root first.
        betas: (N, 10).
        cam: (N, 3) weak camera (s, tx, ty) relative to the box, as regressed.
        transl_m: (N, 3) metres in the network image's virtual camera.
        features: what came before.
    """

    boxes_xyxy_plus1: Tensor
    scores: Tensor
    rotmats: Tensor
    betas: Tensor
    cam: Tensor
    transl_m: Tensor
    features: RawFeatures


def raw_output(
    model: Mili,
    image: Float[Tensor, "3 512 832"],
    threshold: float,
    branch: Branch,
    size: tuple[int, int] | None = None,
) -> RawOutput:
    """Gives everything that the model says about one network image, in single precision.

    Args:
        model: in eval mode.
        image: normalised, zero-padded at the right and at the bottom; on the model's device.
        threshold: least detection score.
        branch: of the model.
        size: (height, width) without padding; None measures it: rows and columns at the end that are 0 throughout
            are padding. That needs a mean that no pixel of eight bits a channel has, such as ImageNet's.

    Raises:
        ImageError: the image has another shape or dtype, holds values that are not finite, or is smaller than `size`;
            or there is no `size`, and pixels of the model's mean colour look like padding.
    """
    _check(image, size)
    sizes = [size or _measured_size(image, model.config.pixel_mean)]
    with torch.inference_mode(), single_precision():
        images = image[None].contiguous(memory_format=torch.channels_last)
        attended = model.attend(images, branch)
        backbone = model.backbone(attended)
        levels = model.restored(model.neck(backbone), branch)
        rpn = model.proposals(levels)
        ((proposals, logits),) = ranked_proposals(rpn, sizes, model.config)
        people = model.people(levels, [proposals], sizes, threshold, branch)
        inclusive = model.config.inclusive_boxes
        head_boxes = last_pixels(people.boxes_xyxy) if inclusive else people.boxes_xyxy
        fpn = (*levels, coarsest(levels[-1]))
        rpn_logits, rpn_deltas = _maps(rpn, fpn)
        scored = torch.cat((last_pixels(proposals), logits.sigmoid()[:, None]), dim=1)
        return RawOutput(
            boxes_xyxy_plus1=last_pixels(people.boxes_xyxy),
            scores=people.scores,
            rotmats=people.bodies.rotmats,
            betas=people.bodies.betas,
            cam=people.bodies.cam,
            transl_m=translation_from_weak(people.bodies.cam, head_boxes),
            features=RawFeatures(tuple(backbone), fpn, rpn_logits, rpn_deltas, scored),
        )


def last_pixels(boxes: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
    """Gives half-open boxes as first and last pixel."""
    return boxes - boxes.new_tensor((0.0, 0.0, 1.0, 1.0))


def unpadded_size(image: Float[Tensor, "3 h w"]) -> tuple[int, int]:
    """Gives the (height, width) up to the last row and column that are not 0 throughout; all of it where all is 0."""
    used = (image != 0).any(dim=0)
    rows, columns = used.any(dim=1).nonzero(), used.any(dim=0).nonzero()
    if len(rows) == 0:
        return image.shape[1], image.shape[2]
    return int(rows[-1]) + 1, int(columns[-1]) + 1


def _measured_size(image: Float[Tensor, "3 h w"], pixel_mean: tuple[float, float, float]) -> tuple[int, int]:
    """Returns `unpadded_size` where no pixel is 0 after normalisation with this mean."""
    if all(float(value).is_integer() for value in pixel_mean):
        raise ImageError(
            f"network image: pixels of the mean colour {pixel_mean} look like its padding; give its size "
            "(height, width) without padding"
        )
    return unpadded_size(image)


@contextmanager
def single_precision() -> Iterator[None]:
    """Keeps a GPU from rounding factors of products to 10 bits (TF32) within; a CPU never does."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


def _maps(rpn: RpnOutput, levels: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Returns logits and deltas of each level as maps."""
    logits, deltas = [], []
    counts = list(rpn.level_sizes)
    parts = zip(torch.split(rpn.logits, counts, 1), torch.split(rpn.deltas, counts, 1), levels, strict=True)
    for logit, delta, level in parts:
        height, width = level.shape[2:]
        logits.append(logit.reshape(1, height, width, -1).permute(0, 3, 1, 2))
        deltas.append(delta.reshape(1, height, width, -1).permute(0, 3, 1, 2))
    return tuple(logits), tuple(deltas)


def _check(image: Tensor, size: tuple[int, int] | None) -> None:
    if tuple(image.shape) != CANVAS or image.dtype != torch.float32:
        raise ImageError(
            f"network image is {image.dtype}{tuple(image.shape)}; give a normalised float32 tensor {CANVAS} "
            "(Predictor.prepare makes one)"
        )
    if not torch.isfinite(image).all():
        raise ImageError("network image holds values that are not finite")
    if size is not None and not (0 < size[0] <= NETWORK_HEIGHT and 0 < size[1] <= NETWORK_WIDTH):
        raise ImageError(f"size (height, width) {size} is not within the canvas, {CANVAS[1:]}")
