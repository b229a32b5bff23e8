"""Which joint of a common skeleton is which of SMPL's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mili_core.errors import ConfigError
from mili_core.synth.poses.skeleton import Joint

REQUIRED = (
    Joint.PELVIS, Joint.NECK, Joint.LEFT_HIP, Joint.RIGHT_HIP, Joint.LEFT_KNEE, Joint.RIGHT_KNEE,
    Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE, Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER,
    Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW, Joint.LEFT_WRIST, Joint.RIGHT_WRIST,
)  # fmt: skip
"""Without these a body's pose is unknown; the others keep still relative to their parent."""

# Names of limbs for {0} = side and of the middle; lower case, no separators, no prefix of the character.
# Where several names stand, the first that the file has is taken.
_LIMBS: dict[str, dict[str, tuple[str, ...]]] = {
    # CMU's conversions, Mixamo, LAFAN, Rokoko, Xsens: LeftUpLeg, LeftArm; LeftShoulder is the collar bone.
    "hips-upleg": {
        "HIP": ("{0}upleg",), "KNEE": ("{0}leg",), "ANKLE": ("{0}foot",), "FOOT": ("{0}toebase", "{0}toe"),
        "COLLAR": ("{0}shoulder",), "SHOULDER": ("{0}arm",), "ELBOW": ("{0}forearm",), "WRIST": ("{0}hand",),
    },
    # 3ds Biped: Bip01 L Thigh.
    "biped": {
        "HIP": ("{1}thigh",), "KNEE": ("{1}calf",), "ANKLE": ("{1}foot",), "FOOT": ("{1}toe0",),
        "COLLAR": ("{1}clavicle",), "SHOULDER": ("{1}upperarm",), "ELBOW": ("{1}forearm",), "WRIST": ("{1}hand",),
    },
    # Poser and DAZ: lThigh, lShldr.
    "poser": {
        "HIP": ("{1}thigh",), "KNEE": ("{1}shin",), "ANKLE": ("{1}foot",), "FOOT": ("{1}toe",),
        "COLLAR": ("{1}collar",), "SHOULDER": ("{1}shldr",), "ELBOW": ("{1}forearm",), "WRIST": ("{1}hand",),
    },
    # Anatomical names, SMPL's own among them: LeftHip, LeftElbow; LeftShoulder is the shoulder.
    "anatomical": {
        "HIP": ("{0}hip",), "KNEE": ("{0}knee",), "ANKLE": ("{0}ankle",), "FOOT": ("{0}toe", "{0}foot"),
        "COLLAR": ("{0}collar",), "SHOULDER": ("{0}shoulder",), "ELBOW": ("{0}elbow",), "WRIST": ("{0}wrist",),
    },
}  # fmt: skip

_MIDDLE: dict[Joint, tuple[str, ...]] = {
    Joint.PELVIS: ("hips", "pelvis", "hip", "root", "bip01", "bip001"),
    Joint.NECK: ("neck", "neck1"),
    Joint.HEAD: ("head",),
}
_SPINES = ("lowerback", "abdomen", "spine", "chest", "spine1", "chest2", "spine2", "chest3", "spine3", "spine4")
_PREFIXES = ("mixamorig", "bip001", "bip01")


def map_joints(names: Sequence[str], path: Path) -> dict[Joint, int]:
    """Gives, for SMPL's joints that a file has, their index among the file's names.

    Raises:
        ConfigError: no known skeleton has these names.
    """
    index: dict[str, int] = {}
    for number, name in enumerate(names):
        index.setdefault(_plain(name), number)
    found = [_mapped(index, limbs) for limbs in _LIMBS.values()]
    best = max(found, key=lambda mapping: sum(joint in mapping for joint in REQUIRED))
    missing = [joint.name.lower() for joint in REQUIRED if joint not in best]
    if missing:
        raise ConfigError(
            f"clip {path}: no joint for {', '.join(missing)} among {', '.join(names)}; rename the joints as CMU, "
            "Mixamo, 3ds Biped, Poser or LAFAN have them"
        )
    return best


def _mapped(index: dict[str, int], limbs: dict[str, tuple[str, ...]]) -> dict[Joint, int]:
    mapping: dict[Joint, int] = {}
    for joint, candidates in _MIDDLE.items():
        _take(mapping, joint, index, candidates)
    for side in ("left", "right"):
        for part, patterns in limbs.items():
            names = tuple(pattern.format(side, side[0]) for pattern in patterns)
            _take(mapping, Joint[f"{side.upper()}_{part}"], index, names)
    # However many spine joints there are, the lowest, a middle and the highest move SMPL's three.
    spines = sorted(index[name] for name in _SPINES if name in index)
    spines = [number for number in spines if number != mapping.get(Joint.PELVIS)]
    if len(spines) == 1:
        mapping[Joint.SPINE2] = spines[0]
    elif spines:
        mapping[Joint.SPINE1], mapping[Joint.SPINE3] = spines[0], spines[-1]
        if len(spines) > 2:
            mapping[Joint.SPINE2] = spines[len(spines) // 2]
    return mapping


def _take(mapping: dict[Joint, int], joint: Joint, index: dict[str, int], names: tuple[str, ...]) -> None:
    for name in names:
        if name in index:
            mapping[joint] = index[name]
            return


def _plain(name: str) -> str:
    """Gives a name in lower case without separators and without the character's prefix."""
    plain = "".join(letter for letter in name.rsplit(":", 1)[-1].lower() if letter.isalnum())
    for prefix in _PREFIXES:
        if plain.startswith(prefix) and len(plain) > len(prefix):
            return plain.removeprefix(prefix)
    return plain
