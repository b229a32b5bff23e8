"""Contrastive loss between the branches (paper eq. 3), and the queue of features that it contrasts with.

L_cs = -log( exp(cos(x_h, x_l) / gamma) / (exp(cos(x_h, x_l) / gamma) + sum over q in Q of exp(cos(q, x_l) / gamma)) )

x_l and x_h are the top level of the pyramid, P5 before restoration, averaged over the cells that are not padding
(`cells.pool_valid`); the paper names the level and leaves the pooling open. x_h has no gradient.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

GAMMA = 0.01  # temperature (paper section 4.2); logits reach 100, so exp() alone overflows float32
QUEUE_LENGTH = 400  # features kept (paper section 4.2)
SCENES = 12  # kept of an image: a canvas may hold several photos
NO_SCENE = -1
_TINY = 1e-12


class FeatureQueue(nn.Module):
    """The last low-resolution features with the scenes of each, first in first out; it learns nothing.

    Its state_dict is all of its state: training that loads it goes on exactly as if it had not been interrupted.
    Plain tensors of fixed shapes, so a process group may keep one a worker or gather before `push`.

    Args:
        channels: width of a feature.
        length: features kept.
    """

    features: Tensor
    scenes: Tensor
    cursor: Tensor
    count: Tensor

    def __init__(self, channels: int, length: int = QUEUE_LENGTH) -> None:
        super().__init__()
        self.register_buffer("features", torch.zeros(length, channels))
        self.register_buffer("scenes", torch.full((length, SCENES), NO_SCENE))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, features: Float[Tensor, "n c"], scenes: Int64[Tensor, "n scenes"]) -> None:
        """Puts features, of any length and without their gradient, over the oldest ones; call it after the loss."""
        length = len(self.scenes)
        features, scenes = features[-length:], scenes[-length:]
        slots = (self.cursor + torch.arange(len(scenes), device=self.scenes.device)) % length
        self.features[slots] = unit(features)
        self.scenes[slots] = nn.functional.pad(scenes, (0, SCENES - scenes.shape[1]), value=NO_SCENE)
        self.cursor.copy_((self.cursor + len(scenes)) % length)
        self.count.copy_((self.count + len(scenes)).clamp(max=length))

    def logits(
        self, anchors: Float[Tensor, "n c"], scenes: Int64[Tensor, "n scenes"], gamma: float
    ) -> Float[Tensor, "n length"]:
        """Returns cosine / gamma of unit anchors with each feature, -inf where that is empty or shares a scene."""
        filled = torch.arange(len(self.scenes), device=self.scenes.device) < self.count
        shared = (self.scenes[None, :, :, None] == scenes[:, None, None, :]) & (scenes != NO_SCENE)[:, None, None, :]
        usable = filled[None] & ~shared.flatten(2).any(dim=2)
        kept = self.features.clone()  # the next push may come before the backward pass
        return (anchors @ kept.T / gamma).masked_fill(~usable, -torch.inf)


def scene_keys(names: Sequence[str]) -> list[int]:
    """Gives the SCENES numbers of an image for the queue, one a scene that it shows, filled up with NO_SCENE.

    A number is 63 bits of the SHA-256 of the name, the same on every machine. Of more scenes the first are kept.
    """
    keys = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1 for name in names[:SCENES]]
    return keys + [NO_SCENE] * (SCENES - len(keys))


def contrastive_loss(
    student: Float[Tensor, "n c"],
    teacher: Float[Tensor, "n c"],
    scenes: Int64[Tensor, "n scenes"],
    queue: FeatureQueue,
    gamma: float = GAMMA,
) -> Float[Tensor, ""]:
    """Gives L_cs, the mean over images, in float32 also under autocast; 0 for no images or an empty queue.

    Args:
        student: pooled low-resolution features x_l, of any length.
        teacher: pooled high-resolution features x_h of the same images; no gradient reaches them.
        scenes: numbers of each image's scenes (`scene_keys`), at most SCENES: queued features that share one take no
            part.
        queue: of earlier low-resolution features; not changed here.
        gamma: temperature.
    """
    if len(student) == 0:
        return student.sum().float()
    with torch.autocast(student.device.type, enabled=False):
        anchors = unit(student)
        same = (anchors * unit(teacher.detach())).sum(dim=1, keepdim=True) / gamma
        logits = torch.cat((same, queue.logits(anchors, scenes, gamma)), dim=1)
        return (torch.logsumexp(logits, dim=1) - logits[:, 0]).mean()


def unit(features: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
    """Gives float32 rows of length 1; a row of zeros stays zeros.

    Rows are brought to a largest entry of 1 first, so that squares of large features do not overflow.
    """
    features = features.float()
    if features.shape[1] == 0:
        return features
    scaled = features / features.detach().abs().amax(dim=1, keepdim=True).clamp(min=_TINY)
    return nn.functional.normalize(scaled, dim=1, eps=_TINY)
