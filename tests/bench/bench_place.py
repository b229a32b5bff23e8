"""Places made-up crowds before known cameras and compares with the truth.

Each row is a pitch, over several focal lengths, rolls, heights and crowds. Bodies are given as a perfect body head
gives them, in the virtual camera of whichever block sees a person; 2D joints have noise. Printed are, with the focal
length known and 1 px of noise: errors of depth, of the reprojected joints (against the true ones), of upright people
against the fitted plane and of the plane against the true one, and errors of the distances between people from
different blocks, placed and as the blocks' own cameras have them. Then, with noise of 2 % of each person's height and
the focal length unknown: how often it was estimated, and by how much it was off.

A second table tells, by people's size in the frame, how far placed joints are from the frame joints that were given:
within 1 px of how many, and the median and the ninth decile, in px and of the size. With --virtual the given joints
have no noise, but the perspective of the blocks' cameras, as joints of real runs: what is left is what no place and
no turn of a body in the scene camera can make up for.

    python tests/bench/bench_place.py [--cameras 6] [--people 65] [--virtual]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from mili_core.synth.camera import STANDING_M, SceneCamera
from pipeline.place import Placement, place
from tests.place_scenes import Known, block_joints, body, known_scene

PITCHES_DEG = (0, 5, 10, 15, 20, 30, 40, 50)
WIDTH, HEIGHT = 8000, 5000
STANDING_SHARE = 0.8
UNLIKE = ("source", "people")
"""Fields of a row that have no median."""
SIZES_PX = (60, 100, 150, 200, 300, 400, 600, 2500)


@dataclass(frozen=True, slots=True)
class Row:
    """What one camera came to; see the module."""

    depth: float
    joints_px: float
    upright_deg: float
    plane_deg: float
    distance: float
    block_distance: float
    source: str
    focal: float
    standing: int
    people: np.ndarray  # (P, 2) size in the frame, and distance of placed from given joints, px


def draw_camera(rng: np.random.Generator, pitch_deg: float) -> SceneCamera:
    """Gives a camera of this pitch that sees adults at its bottom edge at a share of the frame's height."""
    focal = WIDTH * float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    pitch, roll = np.deg2rad(pitch_deg), np.deg2rad(rng.normal(0.0, 3.0))
    # Of an adult who stands where the middle of the lower half looks; level cameras must stand over heads.
    down = pitch + np.arctan(0.25 * HEIGHT / focal)
    share = rng.uniform(0.06, 0.16)
    distance = focal * STANDING_M * np.cos(down) ** 2 / (share * HEIGHT)
    return SceneCamera(WIDTH, HEIGHT, focal, float(pitch), max(2.5, float(distance * np.tan(down))), float(roll))


def measure(camera: SceneCamera, people: int, seed: int, *, virtual: bool) -> Row:
    """Gives the row of one camera and crowd."""
    known = known_scene(camera, people, seed, standing_share=STANDING_SHARE, virtual=virtual)
    placed = of(known, camera.focal_px)
    noisy = known_scene(camera, people, seed, noise_px=0.0, noise_share=0.02, standing_share=STANDING_SHARE)
    estimated = of(noisy, None)
    here, truth = joints_of(known, placed), known.joints_m
    off_px = np.linalg.norm(camera.project(here) - known.joints2d, axis=-1)
    distance, block_distance = distances(known, here)
    plane = upright = np.nan
    if placed.ground is not None:
        down = np.array(placed.ground.down)
        plane = degrees_between(down, camera.world_to_camera[:, 1])
        # What is up for the true body, carried along by the turn from the true to the placed one.
        turn = placed.root_rotmats @ known.root_rotmats.transpose(0, 2, 1)
        ups = (turn @ -camera.world_to_camera[:, 1])[known.standing]
        upright = float(np.nanpercentile([degrees_between(up, -down) for up in ups], 95))
    return Row(
        depth=float(np.nanmedian(np.abs(here[:, 0, 2] / truth[:, 0, 2] - 1.0))),
        joints_px=float(np.nanmedian(np.sqrt((off_px**2).mean(axis=1)))),
        upright_deg=upright,
        plane_deg=plane,
        distance=distance,
        block_distance=block_distance,
        source=estimated.camera.focal_source,
        focal=estimated.camera.focal_px / camera.focal_px - 1.0,
        standing=int(noisy.standing.sum()),
        people=np.stack([sizes(known), placed.error_px], axis=1),
    )


def sizes(known: Known) -> np.ndarray:
    """Gives the longer sides (P,) of the given joints, frame px."""
    assert known.views.joints2d_frame is not None
    return np.asarray(np.ptp(known.views.joints2d_frame[..., :2], axis=1).max(axis=1))


def of(known: Known, focal_px: float | None) -> Placement:
    """Gives the placement of a known scene."""
    return place(known.frame, known.views, known.merge, known.blocks, body(), focal_px=focal_px)


def joints_of(known: Known, placed: Placement) -> np.ndarray:
    """Gives the placed joints (P, 24, 3): the true ones, turned and moved as the roots are."""
    turn = placed.root_rotmats @ known.root_rotmats.transpose(0, 2, 1)
    relative = (known.joints_m - known.joints_m[:, :1]) @ turn.transpose(0, 2, 1)
    return np.asarray(relative + (known.joints_m[:, :1] + (placed.transl_m - known.transl_m)[:, None]))


def distances(known: Known, here: np.ndarray) -> tuple[float, float]:
    """Gives the median errors of distances between people of different blocks: placed, and by the blocks'."""
    index = known.views.block_index
    one, other = np.nonzero(np.triu(index[:, None] != index[None, :], 1))
    true = np.linalg.norm(known.joints_m[one, 0] - known.joints_m[other, 0], axis=1)
    errors = []
    for joints in (here, block_joints(known)):
        found = np.linalg.norm(joints[one, 0] - joints[other, 0], axis=1)
        errors.append(float(np.nanmedian(np.abs(found / true - 1.0))))
    return errors[0], errors[1]


def degrees_between(one: np.ndarray, other: np.ndarray) -> float:
    """Gives the angle between two unit vectors (3,)."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=6, help="for each pitch (default: %(default)s)")
    parser.add_argument(
        "--people", type=int, default=65, help="in each crowd; four of five stand (default: %(default)s)"
    )
    parser.add_argument("--virtual", action="store_true", help="2D joints as the blocks' virtual cameras project them")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    print("                  focal length known, joints +- 1 px                     | unknown, joints +- 2 % of height")
    print("pitch cameras  depth  joints  upright  plane  distances of blocks' own  | estimated  off by median, worst")
    people = []
    for pitch in PITCHES_DEG:
        rng = np.random.default_rng(100 + pitch)
        seeds = range(options.cameras)
        rows = [measure(draw_camera(rng, pitch), options.people, seed, virtual=options.virtual) for seed in seeds]
        print(line(pitch, rows))
        people += [row.people for row in rows]
    print("\nsize, px     people  within 1 px  off by median, 90 %   of the size")
    print("\n".join(size_lines(np.concatenate(people))))


def size_lines(people: np.ndarray) -> list[str]:
    """Gives the lines of the second table from people (P, 2)."""
    lines = []
    for low, high in (*pairwise(SIZES_PX), (SIZES_PX[0], SIZES_PX[-1])):
        size, off = people[(people[:, 0] >= low) & (people[:, 0] < high) & np.isfinite(people[:, 1])].T
        if len(off):
            px, share = np.quantile(off, [0.5, 0.9]), np.quantile(off / size, [0.5, 0.9])
            lines.append(
                f"{low:4d} to {high:4d} {len(off):6d} {(off <= 1.0).mean():12.0%} {px[0]:10.2f} {px[1]:7.2f} px"
                f" {share[0]:8.2%} {share[1]:6.2%}"
            )
    return lines


def line(pitch: int, rows: Sequence[Row]) -> str:
    """Gives a line of the table: medians over cameras, the worst of upright and plane."""
    median = {
        name: float(np.nanmedian([getattr(row, name) for row in rows])) for name in Row.__slots__ if name not in UNLIKE
    }
    tilt = [max(getattr(row, name) for row in rows) for name in ("upright_deg", "plane_deg")]
    off = [abs(row.focal) for row in rows if row.source == "estimate"]
    found = f"{np.median(off):6.1%} {max(off):6.1%}" if off else "     -      -"
    return (
        f"{pitch:3d}\N{DEGREE SIGN} {len(rows):8d} {median['depth']:6.2%} {median['joints_px']:5.2f} px "
        f"{tilt[0]:6.2f}\N{DEGREE SIGN} {tilt[1]:5.2f}\N{DEGREE SIGN} "
        f"{median['distance']:10.2%} {median['block_distance']:12.0%}"
        f"  | {len(off):5d} / {len(rows)}  {found}  ({median['standing']:.0f} stand)"
    )


if __name__ == "__main__":
    main()
