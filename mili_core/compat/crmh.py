"""CRMH's released checkpoint to weights of `mili_r50` (Jiang et al., CVPR 2020; spec of the model, section 1.7).

The checkpoint also holds buffers of the body model that CRMH was trained with. They are licensed data, not weights:
they are left out, so the result names a body, "smpl", and its user brings the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from mili_core.body import axis_angle_to_matrix
from mili_core.compat.checkpoint import Converted, check_names, read_state
from mili_core.config import CRMH_R50
from mili_core.errors import WeightsError
from mili_core.modes import CRMH_SCORE_THRESHOLD
from mili_core.nets.mili import Mili
from mili_core.nets.smpl_head import BETAS, JOINTS, POSE
from mili_core.weights import COUNTER, save_tensors

IGNORED = ("smpl_head.smpl.", "smpl_head.loss.")  # the body model, twice, and the faces of a loss

# The state that refinement starts from: three buffers of theirs, one of ours.
START = "smpl_head.initial_state"
START_PARTS = {"smpl_head.init_contrep": POSE, "smpl_head.init_shape": BETAS, "smpl_head.init_cam": 3}

# Our names to theirs; the first pattern that fits counts.
RENAMES = (
    (r"neck\.laterals\.(\d)\.", r"neck.lateral_convs.\1.conv."),
    (r"neck\.outputs\.(\d)\.", r"neck.fpn_convs.\1.conv."),
    (r"rpn\.conv\.", r"rpn_head.rpn_conv."),
    (r"rpn\.logit\.", r"rpn_head.rpn_cls."),
    (r"rpn\.delta\.", r"rpn_head.rpn_reg."),
    (r"box_head\.fcs\.(\d)\.", r"bbox_head.shared_fcs.\1."),
    (r"box_head\.logits\.", r"bbox_head.fc_cls."),
    (r"box_head\.deltas\.", r"bbox_head.fc_reg."),
)
SMPL_CONV = re.compile(r"smpl_head\.convs\.(\d+)\.(.+)")
LAYERS = 3  # of a block of the SMPL head: convolution, batch normalisation, ReLU


def crmh_name(name: str) -> str:
    """Gives what CRMH calls one of our tensors (all but the starting state)."""
    if block := SMPL_CONV.fullmatch(name):
        number, layer = divmod(int(block[1]), LAYERS)
        return f"smpl_head.convs.{number}.{layer}.{block[2]}"
    for pattern, theirs in RENAMES:
        if re.match(pattern, name):
            return re.sub(pattern, theirs, name)
    return name


def crmh_manifest() -> dict[str, tuple[int, ...]]:
    """Gives the names and shapes of the 385 tensors that inference needs."""
    with torch.device("meta"):
        own = {name: tuple(value.shape) for name, value in Mili(CRMH_R50).state_dict().items() if name != START}
    return {crmh_name(name): shape for name, shape in own.items()} | {n: (size,) for n, size in START_PARTS.items()}


def convert_crmh(source: Path, output: Path) -> Converted:
    """Writes weights for `Predictor.load(output, compat="crmh")` from a CRMH checkpoint, in single precision.

    Raises:
        MissingFileError: no such checkpoint.
        WeightsError: it is no checkpoint, or its tensors are not CRMH's; or the output cannot be written.
    """
    state, sections = read_state(source)
    ignored = tuple(name for name in state if name.startswith(IGNORED))
    needed = {name: value for name, value in state.items() if not name.startswith(IGNORED)}
    check_names(source, needed, crmh_manifest())
    tensors = own_tensors(needed)
    save_tensors(
        output,
        tensors,
        CRMH_R50,
        body_name="smpl",
        body_sha256="",
        score_threshold=CRMH_SCORE_THRESHOLD,
        notes={"converted from": "CRMH", "checkpoint": source.name},
    )
    return Converted(len(needed), len(tensors), ignored, sections)


def own_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Gives CRMH's tensors under our names, float32, without the counters of batch normalisation."""
    with torch.device("meta"):
        names = [name for name in Mili(CRMH_R50).state_dict() if name != START and not name.endswith(COUNTER)]
    tensors = {name: state[crmh_name(name)].float() for name in names}
    return tensors | {START: torch.cat([state[name].float() for name in START_PARTS])}


def start_pose(mean_pose: Tensor) -> Tensor:
    """Gives the pose that CRMH's refinement starts from, `init_contrep`, of a mean pose.

    The root is turned by pi about x. The values are columns 0 and 2 of each rotation, although the head reads them
    as columns 0 and 1: its weights were trained so, and a "corrected" start gives other bodies.

    Args:
        mean_pose: (72,) axis-angles of 24 joints, the root's not used.

    Returns:
        (144,) float32.

    Raises:
        WeightsError: another shape.
    """
    if tuple(mean_pose.shape) != (JOINTS * 3,):
        raise WeightsError(f"mean pose has shape {tuple(mean_pose.shape)}; 24 axis-angles, ({JOINTS * 3},), expected")
    pose = mean_pose.double().reshape(JOINTS, 3).clone()
    pose[0] = torch.tensor((torch.pi, 0.0, 0.0))
    return axis_angle_to_matrix(pose)[:, :, [0, 2]].reshape(-1).float()
