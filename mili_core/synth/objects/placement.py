"""Where objects stand: in the view, apart from each other and from people, some in front of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mili_core.synth.camera import STANDING_M, SceneCamera
from mili_core.synth.objects.footprint import Footprint, along, footprint_of
from mili_core.synth.objects.kinds import KINDS, KindSpec
from mili_core.synth.objects.mesh import Mesh

Float64Array = NDArray[np.float64]
Walkable = Callable[[Float64Array], NDArray[np.bool_]]

FEET_M = 0.35
"""Nobody stands closer to an object: half a step."""

GAP_M = 0.1
"""Objects stand at least so far from each other, unless they stand in a row."""

LARGEST = 0.15
"""No object's box takes more of the image: it would be a picture of the object."""

NEAREST_M = 0.6
"""Least depth of any vertex: closer than that everything is out of focus."""

IN_ROW = 0.45
"""Share of the objects that can stand in rows which do."""

_TRIES = 10


@dataclass(frozen=True, slots=True, eq=False)
class PlacedObject:
    """An object at its place.

    Attributes:
        kind: key of KINDS.
        mesh: in its own axes, not yet turned.
        spot: (2,) ground point x, z, world metres.
        heading_rad: to turn it by; at 0 its front (+z) looks at the camera.
        radius_m: of a circle that stands for its footprint.
    """

    kind: str
    mesh: Mesh
    spot: Float64Array
    heading_rad: float
    radius_m: float


def draw_objects(
    rng: np.random.Generator,
    camera: SceneCamera,
    count: int,
    kinds: dict[str, float],
    walkable: Walkable,
    taken: NDArray[np.floating],
    *,
    near_px: float,
    far_px: float,
    before_people: float = 0.4,
    things: NDArray[np.floating] | None = None,
    heading_rad: float = 0.0,
) -> tuple[PlacedObject, ...]:
    """Gives up to `count` objects; fewer when they do not fit.

    Args:
        rng: source of all randomness.
        camera: camera.
        count: how many are wanted.
        kinds: keys of KINDS and their shares.
        walkable: says of ground points (K, 2) whether objects may stand there.
        taken: (P, 2) ground points x, z of people, world metres.
        near_px, far_px: heights in the image of a standing adult at the nearest and the farthest place.
        before_people: share of the objects that are put between the camera and somebody.
        things: (K, 2) ground points of what people have along: kept clear, too.
        heading_rad: of the place, whose lines rows keep to.
    """
    people = np.asarray(taken, dtype=np.float64).reshape(-1, 2)
    more = np.zeros((0, 2)) if things is None else np.asarray(things, dtype=np.float64).reshape(-1, 2)
    scene = _Floor(camera, walkable, people, np.concatenate([people, more]))
    names, share = list(kinds), np.array(list(kinds.values()), dtype=np.float64)
    placed: list[PlacedObject] = []
    prints: list[Footprint] = []
    for _ in range(2 * count if names else 0):
        if len(placed) >= count:
            break
        name = names[int(rng.choice(len(names), p=share / share.sum()))]
        spec = KINDS[name]
        mesh, heading = spec.make(rng), _heading(rng, spec, heading_rad)
        before = len(scene.people) > 0 and rng.random() < before_people
        first = _find(rng, scene, prints, mesh, heading, (near_px, far_px), before=before)
        if first is None:
            continue
        row = [(mesh, first)]
        if spec.row_m > 0.0 and rng.random() < IN_ROW:
            row += _row(rng, scene, prints, spec, mesh, first)
        for member, place in row[: count - len(placed)]:
            placed.append(PlacedObject(name, member, place.spot, place.heading_rad, place.radius_m))
            prints.append(place)
    return tuple(placed)


@dataclass(frozen=True, slots=True, eq=False)
class _Floor:
    """What a place has to suit: the view, the ground, people (P, 2), all that is taken (K, 2)."""

    camera: SceneCamera
    walkable: Walkable
    people: Float64Array
    taken: Float64Array

    def suits(self, place: Footprint, mesh: Mesh, others: list[Footprint]) -> bool:
        """Gives whether an object may stand at a place."""
        if not self._foot_in_view(place.spot) or not bool(self.walkable(place.spot[None])[0]):
            return False
        if len(self.taken) and place.distance_m(self.taken).min() < FEET_M:
            return False
        if any(place.meets(other, GAP_M) for other in others):
            return False
        return 0.0 < box_share(self.camera, mesh, place.spot, place.heading_rad) <= LARGEST

    def _foot_in_view(self, spot: Float64Array) -> bool:
        foot = self.camera.to_camera(np.array([spot[0], self.camera.height_m, spot[1]]))
        if foot[2] < NEAREST_M:
            return False
        x, y = self.camera.project(foot)
        # Below the lower edge a foot is as good: the upper part still shows.
        return bool(-0.02 * self.camera.width < x < 1.02 * self.camera.width and y < 1.15 * self.camera.height)


def box_share(camera: SceneCamera, mesh: Mesh, spot: NDArray[np.floating], heading_rad: float) -> float:
    """Gives the share of the image that the box of an object at a ground point (2,) takes; inf when it is too near."""
    own = mesh.turned(heading_rad).vertices_m.astype(np.float64)
    world = np.array([spot[0], camera.height_m, spot[1]]) + own * [1.0, -1.0, -1.0]
    points = camera.to_camera(world)
    if points[:, 2].min() < NEAREST_M:
        return float("inf")
    pixels = camera.project(points)
    size = np.array([camera.width, camera.height], dtype=np.float64)
    sides = np.clip(pixels.max(axis=0), 0.0, size) - np.clip(pixels.min(axis=0), 0.0, size)
    return float(sides.prod() / size.prod())


def _heading(rng: np.random.Generator, spec: KindSpec, lines_rad: float) -> float:
    """Gives a heading: what stands in rows mostly keeps to the lines of the place, the rest looks anywhere."""
    if spec.row_m > 0.0 and rng.random() < 0.7:
        return float(lines_rad + 0.5 * np.pi * rng.integers(4) + rng.normal(0.0, 0.12))
    return float(rng.uniform(-np.pi, np.pi))


def _find(
    rng: np.random.Generator,
    floor: _Floor,
    others: list[Footprint],
    mesh: Mesh,
    heading_rad: float,
    limits_px: tuple[float, float],
    *,
    before: bool,
) -> Footprint | None:
    """Gives a place that suits, or None after some tries."""
    model = footprint_of(mesh, np.zeros(2), heading_rad)
    for _ in range(_TRIES):
        spot = _before_somebody(rng, floor, model) if before else _anywhere(rng, floor.camera, limits_px)
        place = replace(model, spot=spot)
        if floor.suits(place, mesh, others):
            return place
    return None


def _anywhere(rng: np.random.Generator, camera: SceneCamera, limits_px: tuple[float, float]) -> Float64Array:
    """Gives a ground point (2,) where a standing adult would have a height drawn log-uniformly between limits."""
    near_px, far_px = limits_px
    height_px = np.exp(rng.uniform(np.log(far_px), np.log(near_px)))
    depth = camera.focal_px * STANDING_M * np.cos(camera.pitch_rad) / height_px
    # The depth along the optical axis of a ground point at distance z ahead is y sin(pitch) + z cos(pitch).
    ahead = (depth - camera.height_m * np.sin(camera.pitch_rad)) / np.cos(camera.pitch_rad)
    half_width = depth * camera.width / (2.0 * camera.focal_px) + 0.3
    return np.array([rng.uniform(-1.0, 1.0) * half_width, ahead])


def _before_somebody(rng: np.random.Generator, floor: _Floor, model: Footprint) -> Float64Array:
    """Gives a ground point (2,) between the camera and a person, so far aside that something of the person shows."""
    person = floor.people[int(rng.integers(len(floor.people)))]
    distance = float(np.hypot(*person))
    nearer = rng.uniform(0.6, 4.0) + model.radius_m
    share = max(1.0 - nearer / max(distance, 1e-6), 0.3)
    aside = rng.choice([-1.0, 1.0]) * (model.half_width_m * rng.uniform(0.5, 1.05) + rng.uniform(0.0, 0.15))
    spot: Float64Array = person * share + np.array([aside, 0.0])
    return spot


def _row(
    rng: np.random.Generator, floor: _Floor, others: list[Footprint], spec: KindSpec, mesh: Mesh, first: Footprint
) -> list[tuple[Mesh, Footprint]]:
    """Gives the others of a row, one side after the other until a place does not suit."""
    step = along(first.heading_rad, aside=spec.aside) * spec.row_m
    members: list[tuple[Mesh, Footprint]] = []
    for side in (1.0, -1.0):
        for number in range(1, int(rng.integers(1, 4)) + 1):
            member = mesh if spec.alike else spec.make(rng)
            turn = first.heading_rad + rng.normal(0.0, 0.03) + (np.pi if spec.swaps and rng.random() < 0.5 else 0.0)
            spot = first.spot + side * number * step + rng.normal(0.0, 0.05, 2)
            place = footprint_of(member, spot, float(turn))
            # Neighbours in a row may touch, so only the objects of other rows count.
            if not floor.suits(place, member, others):
                break
            members.append((member, place))
    return members
