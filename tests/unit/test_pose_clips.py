"""Users' clips: BVH of the common skeletons and SMPL-layout npz, and what happens with damaged files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mili_core.body import PARENTS
from mili_core.errors import ConfigError, MiliError, MissingFileError, StoreError
from mili_core.synth.poses.clips import clip_poses, load_clip, load_clips
from mili_core.synth.poses.figure import forward, mean_figure
from mili_core.synth.poses.generators import draw_poses
from mili_core.synth.poses.skeleton import Joint, angles_to_rotmats, axis_rotation

MIXAMO = [
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine1", "LeftFoot", "RightFoot",
    "Spine2", "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm",
    "RightArm", "LeftForeArm", "RightForeArm", "LeftHand", "RightHand",
]  # fmt: skip
BIPED = [
    "Bip01", "Bip01 L Thigh", "Bip01 R Thigh", "Bip01 Spine", "Bip01 L Calf", "Bip01 R Calf", "Bip01 Spine1",
    "Bip01 L Foot", "Bip01 R Foot", "Bip01 Spine2", "Bip01 L Toe0", "Bip01 R Toe0", "Bip01 Neck",
    "Bip01 L Clavicle", "Bip01 R Clavicle", "Bip01 Head", "Bip01 L UpperArm", "Bip01 R UpperArm", "Bip01 L Forearm",
    "Bip01 R Forearm", "Bip01 L Hand", "Bip01 R Hand",
]  # fmt: skip
POSER = [
    "hip", "lThigh", "rThigh", "abdomen", "lShin", "rShin", "chest", "lFoot", "rFoot", "chest2", "lToe",
    "rToe", "neck", "lCollar", "rCollar", "head", "lShldr", "rShldr", "lForeArm", "rForeArm", "lHand", "rHand",
]  # fmt: skip
ANATOMICAL = [
    "Pelvis", "Left_Hip", "Right_Hip", "Spine1", "Left_Knee", "Right_Knee", "Spine2", "Left_Ankle",
    "Right_Ankle", "Spine3", "Left_Foot", "Right_Foot", "Neck", "Left_Collar", "Right_Collar", "Head",
    "Left_Shoulder", "Right_Shoulder", "Left_Elbow", "Right_Elbow", "Left_Wrist", "Right_Wrist",
]  # fmt: skip
JOINTS = 22  # without the hands' knuckles, which few skeletons have


def motion(frames: int = 12) -> np.ndarray:
    """(T, 24, 3, 3) of people who stand and walk; hands straight."""
    poses = draw_poses(np.random.default_rng(3), frames, ["stand", "walk"])
    rotmats = poses.rotmats().astype(np.float64)
    rotmats[:, JOINTS:] = np.eye(3)
    return rotmats


def bvh_text(
    names: list[str],
    offsets: np.ndarray,
    rotations: np.ndarray,
    root: np.ndarray,
    order: str = "ZXY",
    fps: float = 25.0,
) -> str:
    """A BVH file; rotations (T, J, 3, 3) relative to the parent."""
    lines = ["HIERARCHY"]

    def write(joint: int, depth: int) -> None:
        pad = "  " * depth
        lines.append(f"{pad}{'ROOT' if joint == 0 else 'JOINT'} {names[joint]}")
        lines.append(pad + "{")
        lines.append(f"{pad}  OFFSET {' '.join(f'{value:.6f}' for value in offsets[joint])}")
        place = "Xposition Yposition Zposition " if joint == 0 else ""
        lines.append(f"{pad}  CHANNELS {6 if joint == 0 else 3} {place}{' '.join(axis + 'rotation' for axis in order)}")
        children = [child for child in range(len(names)) if PARENTS[child] == joint]
        written.append(joint)
        for child in children:
            write(child, depth + 1)
        if not children:
            lines.append(f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET 0 1 0\n{pad}  }}")
        lines.append(pad + "}")

    written: list[int] = []
    write(0, 0)
    lines += ["MOTION", f"Frames: {len(rotations)}", f"Frame Time: {1.0 / fps:.6f}"]
    for frame in range(len(rotations)):
        row = list(root[frame])
        for joint in written:
            row += list(np.rad2deg(euler(rotations[frame, joint], order)))
        lines.append(" ".join(f"{value:.6f}" for value in row))
    return "\n".join(lines) + "\n"


def euler(matrix: np.ndarray, order: str) -> np.ndarray:
    """Angles of Ra Rb Rc for an order of three different axes, by brute formula over permutations."""
    a, b, c = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (b - a) % 3 == 1 else -1.0
    second = np.arcsin(np.clip(sign * matrix[a, c], -1.0, 1.0))
    first = np.arctan2(-sign * matrix[b, c], matrix[c, c])
    third = np.arctan2(-sign * matrix[a, b], matrix[a, a])
    return np.array([first, second, third])


def bones(offsets_scale: float) -> np.ndarray:
    joints = mean_figure().joints_m[:JOINTS]
    offsets = joints - np.concatenate((np.zeros((1, 3)), joints[list(PARENTS[1:JOINTS])]))
    return offsets * offsets_scale


def positions(rotmats: np.ndarray) -> np.ndarray:
    return forward(rotmats, np.zeros((len(rotmats), 3)))[0][:, :JOINTS]


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (MIXAMO, "ZXY"),
        (["mixamorig:" + name for name in MIXAMO], "XYZ"),
        (BIPED, "ZYX"),
        (POSER, "YXZ"),
        (ANATOMICAL, "YZX"),
    ],
)
def test_a_t_pose_skeleton_comes_back_exactly(tmp_path: Path, names: list[str], order: str) -> None:
    rotmats = motion()
    root = np.random.default_rng(0).normal(size=(12, 3)) * 100.0
    path = tmp_path / "clip.bvh"
    path.write_text(bvh_text(names, bones(100.0), rotmats[:, :JOINTS], root, order))
    clip = load_clip(path)
    assert clip.rotmats.shape == (12, 24, 3, 3)
    assert clip.rotmats.dtype == clip.root_m.dtype == np.float32
    assert clip.fps == pytest.approx(25.0, rel=1e-4)
    np.testing.assert_allclose(clip.rotmats, rotmats, atol=2e-5)
    np.testing.assert_allclose(clip.root_m, root / 100.0, atol=1e-4)


def test_another_rest_pose_gives_the_same_limbs(tmp_path: Path) -> None:
    """A rest with hanging arms and legs apart, in inches."""
    angles = np.zeros((1, 24, 4))
    angles[0, [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], 2] = -0.9
    angles[0, [Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW], 1] = -0.3
    angles[0, [Joint.LEFT_HIP, Joint.RIGHT_HIP], 2] = 0.2
    rest = angles_to_rotmats(angles).astype(np.float64)
    joints, turned = forward(rest, np.zeros((1, 3)))
    offsets = np.zeros((JOINTS, 3))
    offsets[1:] = (joints[0, 1:JOINTS] - joints[0, list(PARENTS[1:JOINTS])]) / 0.0254
    rotmats = motion()
    _, world = forward(rotmats, np.zeros((12, 3)))
    source = world @ turned.swapaxes(-1, -2)
    local = source.copy()
    for joint, parent in enumerate(PARENTS[1:], start=1):
        local[:, joint] = source[:, parent].swapaxes(-1, -2) @ source[:, joint]
    path = tmp_path / "clip.bvh"
    path.write_text(bvh_text(MIXAMO, offsets, local[:, :JOINTS], np.zeros((12, 3))))
    clip = load_clip(path)
    assert np.abs(positions(clip.rotmats) - positions(rotmats)).max() < 0.02
    # Forearms turned about themselves are told from the rest pose too, but for the elbows' bend in it.
    np.testing.assert_allclose(clip.rotmats[:, 0], rotmats[:, 0], atol=1e-4)


def test_a_rest_pose_that_nobody_can_take_is_replaced_by_the_straightest_frame(tmp_path: Path) -> None:
    """LAFAN's kind: with zero rotations every bone lies along +x."""
    lengths = np.linalg.norm(bones(100.0), axis=1)
    offsets = lengths[:, None] * [1.0, 0.0, 0.0]
    for hip, name in ((Joint.LEFT_HIP, 1.0), (Joint.RIGHT_HIP, -1.0)):
        offsets[hip] = [0.0, 0.0, 10.0 * name]
    rotmats = motion(30)
    joints, world = forward(rotmats, np.zeros((30, 3)))
    source = world[:, :JOINTS].copy()
    for joint in range(JOINTS):
        children = [child for child in range(1, JOINTS) if PARENTS[child] == joint]
        if not children or joint in {Joint.PELVIS, Joint.SPINE3}:
            continue
        rest = mean_figure().joints_m[children[0]] - mean_figure().joints_m[joint]
        first = rest / np.linalg.norm(rest)
        second = np.cross(first, [0.0, 0.0, 1.0] if abs(first[2]) < 0.9 else [0.0, 1.0, 0.0])
        second /= np.linalg.norm(second)
        source[:, joint] = world[:, joint] @ np.stack((first, second, np.cross(first, second)), axis=1)
    root_turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])  # x along the spine, z to the left
    source[:, 0] = world[:, 0] @ root_turn
    local = source.copy()
    for joint, parent in enumerate(PARENTS[1:JOINTS], start=1):
        local[:, joint] = source[:, parent].swapaxes(-1, -2) @ source[:, joint]
    path = tmp_path / "clip.bvh"
    path.write_text(bvh_text(MIXAMO, offsets, local, np.zeros((30, 3))))
    clip = load_clip(path)
    found = forward(clip.rotmats, np.zeros((30, 3)))[0]
    for start, end in ((1, 4), (2, 5), (4, 7), (5, 8), (16, 18), (17, 19), (18, 20), (19, 21)):
        ours, theirs = joints[:, end] - joints[:, start], found[:, end] - found[:, start]
        cosine = (ours * theirs).sum(-1) / np.linalg.norm(ours, axis=-1) / np.linalg.norm(theirs, axis=-1)
        assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 15.0, (start, end)


def test_a_clip_with_z_up_is_turned(tmp_path: Path) -> None:
    rotmats = motion()
    stand_up = axis_rotation(np.asarray(0.5 * np.pi), 0)
    turned = rotmats[:, :JOINTS].copy()
    turned = turned.copy()
    turned[:, 0] = stand_up @ turned[:, 0]
    path = tmp_path / "clip.bvh"
    path.write_text(bvh_text(MIXAMO, bones(1.0), turned, np.tile([1.0, 2.0, 3.0], (12, 1))))
    clip = load_clip(path)
    np.testing.assert_allclose(clip.root_m, np.tile([1.0, 3.0, -2.0], (12, 1)), atol=1e-5)
    assert (clip.rotmats[:, 0, 1, 1] > 0.9).all()


def axis_angles(rotmats: np.ndarray) -> np.ndarray:
    import torch

    from mili_core.body import matrix_to_axis_angle

    vectors: np.ndarray = matrix_to_axis_angle(torch.from_numpy(np.asarray(rotmats, dtype=np.float64))).numpy()
    return vectors


@pytest.mark.parametrize(("width", "joints"), [(72, 24), (156, 22), (165, 22)])
@pytest.mark.parametrize("rate", ["mocap_framerate", "mocap_frame_rate"])
def test_amass_layouts(tmp_path: Path, width: int, joints: int, rate: str) -> None:
    rotmats = motion()
    to_z_up = axis_rotation(np.asarray(0.5 * np.pi), 0)
    stored = rotmats.copy()
    stored[:, 0] = to_z_up @ stored[:, 0]
    poses = np.zeros((12, width))
    poses[:, : joints * 3] = axis_angles(stored[:, :joints]).reshape(12, -1)
    way = np.random.default_rng(1).normal(size=(12, 3))
    path = tmp_path / "walk_poses.npz"
    np.savez(path, poses=poses, trans=way, betas=np.zeros(16), gender=np.array("neutral"), **{rate: np.float64(120.0)})
    clip = load_clip(path)
    np.testing.assert_allclose(clip.rotmats, rotmats, atol=1e-5)
    np.testing.assert_allclose(clip.root_m, way @ to_z_up, atol=1e-5)
    assert clip.fps == 120.0
    assert clip.name == "walk_poses"


@pytest.mark.parametrize("turn", [0.0, 0.5 * np.pi, np.pi])
def test_global_orient_files_find_their_up(tmp_path: Path, turn: float) -> None:
    rotmats = motion()
    stored = rotmats.copy()
    stored[:, 0] = axis_rotation(np.asarray(turn), 0) @ stored[:, 0]
    vectors = axis_angles(stored)
    path = tmp_path / "clip.npz"
    np.savez(path, global_orient=vectors[:, 0], body_pose=vectors[:, 1:24].reshape(12, 69))
    np.testing.assert_allclose(load_clip(path).rotmats, rotmats, atol=1e-5)


def test_poses_are_drawn_from_clips(tmp_path: Path) -> None:
    rotmats = motion()
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.bvh").write_text(bvh_text(MIXAMO, bones(100.0), rotmats[:, :JOINTS], np.zeros((12, 3))))
    np.savez(tmp_path / "deep" / "a.npz", global_orient=np.zeros((4, 3)), body_pose=np.zeros((4, 63)))
    (tmp_path / "notes.txt").write_text("x")
    clips = load_clips(tmp_path)
    assert [clip.name for clip in clips] == ["b", "a"]
    drawn = clip_poses(np.random.default_rng(0), clips, 200)
    assert drawn.shape == (200, 24, 3, 3)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn @ drawn.swapaxes(-1, -2), np.broadcast_to(np.eye(3), drawn.shape), atol=1e-4)
    assert (drawn[:, 0, 1, 1] > 0.9).all()
    assert drawn[:, 0, 0, 2].min() < -0.5 < 0.5 < drawn[:, 0, 0, 2].max()
    np.testing.assert_array_equal(drawn, clip_poses(np.random.default_rng(0), clips, 200))
    assert clip_poses(np.random.default_rng(0), clips, 0).shape == (0, 24, 3, 3)
    with pytest.raises(ConfigError, match="no clips"):
        clip_poses(np.random.default_rng(0), [], 1)


def good_bvh() -> str:
    return bvh_text(MIXAMO, bones(100.0), motion(3)[:, :JOINTS], np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (lambda text: "", StoreError, "no BVH"),
        (lambda text: "hello world", StoreError, "no BVH"),
        (lambda text: text[: len(text) // 2], StoreError, "cannot be read|cut off|no BVH"),
        (lambda text: text[:-30], StoreError, "cut off"),
        (lambda text: text.rstrip().rsplit(" ", 1)[0] + " nan\n", StoreError, "not finite"),
        (lambda text: text.rstrip().rsplit(" ", 1)[0] + " abc\n", StoreError, "cannot be read"),
        (lambda text: text.replace("Frames: 3", "Frames: 0"), StoreError, "0 frames"),
        (lambda text: text.replace("Frame Time", "Time"), StoreError, "Frame Time"),
        (lambda text: text.replace("LeftForeArm", "Tail"), ConfigError, "left_elbow.*rename"),
        (lambda text: text.replace("Zrotation", "Wrotation"), StoreError, "unknown channels"),
        (lambda text: text.replace("OFFSET", "OFSET", 1), StoreError, "unexpected word"),
        (lambda text: text.replace("HIERARCHY", "HIERARCHY }", 1), StoreError, "a '}' too many"),
        (lambda text: text.replace("HIERARCHY", "HIERARCHY OFFSET 0 0 0", 1), StoreError, "OFFSET stands outside"),
        (lambda text: text.replace("HIERARCHY", "HIERARCHY CHANNELS 0", 1), StoreError, "CHANNELS stands outside"),
        (lambda text: text.replace("CHANNELS 6", "CHANNELS -2", 1), StoreError, "CHANNELS -2: expected a number"),
        (lambda text: "HIERARCHY ROOT a { CHANNELS MOTION x", StoreError, "CHANNELS: expected a number"),
        (lambda text: "HIERARCHY ROOT a { OFFSET 1 MOTION x", StoreError, "OFFSET 1: expected three numbers"),
        (lambda text: "HIERARCHY ROOT a MOTION x", StoreError, "ROOT a lacks its '{'"),
        (lambda text: "HIERARCHY END s { JOINT a { } } MOTION x", StoreError, "JOINT within an end site"),
        (lambda text: text[: text.index("MOTION")] + "MOTION\n", StoreError, "MOTION lacks"),
        (lambda text: text.replace("Frames: 3", "Frames: many"), StoreError, "Frames: many and"),
    ],
)
def test_bad_bvh_is_one_clear_line(tmp_path: Path, spoil, error: type[MiliError], says: str) -> None:  # noqa: ANN001
    path = tmp_path / "bad.bvh"
    path.write_text(spoil(good_bvh()))
    with pytest.raises(error, match=says) as raised:
        load_clip(path)
    assert "bad.bvh" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("arrays", "error", "says"),
    [
        ({"foo": np.zeros(3)}, ConfigError, "holds only foo: no poses.*give an AMASS-style npz"),
        ({}, ConfigError, "is empty: no poses"),
        ({"poses": np.zeros((4, 70))}, ConfigError, "expected numbers"),
        ({"poses": np.zeros((0, 72))}, StoreError, "no frames"),
        ({"poses": np.full((4, 72), np.nan)}, StoreError, "not finite"),
        ({"poses": np.zeros((4, 72)), "trans": np.zeros((3, 3))}, ConfigError, "3 trans for 4"),
        ({"poses": np.zeros((4, 72)), "mocap_framerate": np.array(0.0)}, StoreError, "frames a second"),
        ({"poses": np.array(["a"] * 4)}, ConfigError, "expected numbers"),
        ({"poses": np.array([None] * 4)}, StoreError, "cannot be read"),
        ({"global_orient": np.zeros((4, 3))}, ConfigError, "no poses"),
        ({"global_orient": np.zeros((4, 3)), "body_pose": np.zeros((5, 69))}, ConfigError, "4 global_orient"),
    ],
)
def test_bad_npz_is_one_clear_line(tmp_path: Path, arrays: dict, error: type[MiliError], says: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(error, match=says) as raised:
        load_clip(path)
    assert "bad.npz" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_damaged_archives_and_missing_things(tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    np.savez(path, poses=np.zeros((100, 72)))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(StoreError, match=r"cut\.npz"):
        load_clip(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (30_000_000_000, 72)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("poses.npy", header.getvalue())
    with pytest.raises(StoreError, match=r"cut\.npz claims more numbers than memory holds.*give an AMASS"):
        load_clip(path)
    np.save(path.with_suffix(".npy"), np.zeros((4, 72)))
    path.with_suffix(".npy").replace(path)
    with pytest.raises(StoreError, match=r"cut\.npz cannot be read as npz"):
        load_clip(path)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"cut\.npz"):
        load_clip(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \.bvh"):
        load_clips(tmp_path / "empty")
    with pytest.raises(MissingFileError, match="does not exist"):
        load_clips(tmp_path / "nowhere")
    with pytest.raises(MissingFileError, match="does not exist"):
        load_clip(tmp_path / "nowhere.bvh")
    (tmp_path / "clip.fbx").write_text("x")
    with pytest.raises(ConfigError, match="unknown kind"):
        load_clip(tmp_path / "clip.fbx")
    (tmp_path / "binary.bvh").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match=r"binary\.bvh"):
        load_clip(tmp_path / "binary.bvh")
