"""Interpenetration: a slow twin with solid angles and loops, closed forms, who is pushed where, numbers at the edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mili_core.body import load_body
from mili_core.losses.interpenetration import CELLS, MARGIN, ROBUST, interpenetration_loss, signed_volumes

CORNERS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64)
OCTAHEDRON = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]], dtype=np.int64
)
TILT = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def ball(times: int) -> tuple[np.ndarray, np.ndarray]:
    """A tilted unit ball: the octahedron with each triangle cut in four, `times` times."""
    vertices, faces = list(CORNERS), OCTAHEDRON
    for _ in range(times):
        middles: dict[tuple[int, int], int] = {}

        def middle(a: int, b: int, middles: dict[tuple[int, int], int] = middles) -> int:
            key = (min(a, b), max(a, b))
            if key not in middles:
                point = vertices[a] + vertices[b]
                vertices.append(point / np.linalg.norm(point))
                middles[key] = len(vertices) - 1
            return middles[key]

        cut = []
        for a, b, c in faces.tolist():
            ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
            cut += [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        faces = np.array(cut, dtype=np.int64)
    return np.array(vertices) @ TILT.T, faces


def winds_around(point: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether the solid angles of all triangles, seen from the point, sum to a whole sphere."""
    total = 0.0
    for face in faces:
        a, b, c = vertices[face] - point
        la, lb, lc = (float(np.linalg.norm(v)) for v in (a, b, c))
        numerator = float(np.dot(a, np.cross(b, c)))
        total += 2 * math.atan2(numerator, la * lb * lc + a @ b * lc + b @ c * la + c @ a * lb)
    return abs(total) > 2 * math.pi


def slow_volume(points: np.ndarray, faces: np.ndarray, cells: int) -> np.ndarray:
    """Signed distances everywhere, indexed z, y, x."""
    samples = np.concatenate((points, points[faces].mean(axis=1)))
    volume = np.zeros((cells, cells, cells))
    for z, y, x in np.ndindex(volume.shape):
        centre = (np.array([x, y, z]) + 0.5) * 2 / cells - 1
        distance = min(float(np.linalg.norm(centre - sample)) for sample in samples)
        volume[z, y, x] = distance if winds_around(centre, points, faces) else -distance
    return volume


def slow_loss(bodies: np.ndarray, faces: np.ndarray, images: list[int], cells: int) -> float:
    total = 0.0
    for i, body in enumerate(bodies):
        low, high = body.min(axis=0), body.max(axis=0)
        centre, half = (low + high) / 2, MARGIN * (high - low).max() / 2
        volume = slow_volume((body - centre) / half, faces, cells)
        people = images.count(images[i])
        for j, other in enumerate(bodies):
            if i == j or images[i] != images[j]:
                continue
            for vertex in (other - centre) / half:
                at = (vertex + 1) * cells / 2 - 0.5
                if (at < 0).any() or (at >= cells - 1).any():
                    continue  # the border of a cube lies outside its body
                floor = np.floor(at).astype(int)
                value = 0.0
                for corner in np.ndindex(2, 2, 2):
                    weight = np.prod([f if c else 1 - f for f, c in zip(at - floor, corner, strict=True)])
                    x, y, z = floor + corner
                    value += float(weight * volume[z, y, x])
                depth = max(value, 0.0)
                total += depth**2 / (depth**2 + ROBUST**2) / people**2
    return total / len(set(images))


def moved(vertices: np.ndarray, *shifts: tuple[float, float, float]) -> Tensor:
    return torch.from_numpy(np.stack([vertices + np.array(shift) for shift in shifts]).astype(np.float32))


def test_agrees_with_the_slow_twin() -> None:
    vertices, faces = ball(1)
    images = [0, 0, 0, 4, 4, 7]
    bodies = moved(vertices, (0, 0, 0), (0.9, 0.2, 0.1), (1.1, 0.8, -0.7), (0, 0, 0), (0.3, 1.4, 0.2), (0, 0, 0))
    loss = interpenetration_loss(bodies, torch.from_numpy(faces), torch.tensor(images), cells=8)
    expected = slow_loss(bodies.double().numpy(), faces, images, 8)
    assert expected > 0.1
    assert loss.item() == pytest.approx(expected, rel=1e-3)


def test_volumes_agree_with_the_slow_twin_where_they_matter() -> None:
    vertices, faces = ball(1)
    points = torch.from_numpy(vertices / MARGIN).float()[None]
    volume = signed_volumes(points, torch.from_numpy(faces), 9)[0].numpy()
    slow = slow_volume(points[0].double().numpy(), faces, 9)
    assert np.array_equal(volume > 0, slow > 0)
    assert volume[slow > 0] == pytest.approx(slow[slow > 0], abs=1e-3)
    assert (volume[slow < 0] >= slow[slow < 0].min() - 4 / 9).all()


def test_a_fine_ball_has_the_distances_of_a_ball() -> None:
    vertices, faces = ball(4)
    points = torch.from_numpy(vertices / MARGIN).float()[None]
    volume = signed_volumes(points, torch.from_numpy(faces), CELLS)[0]
    line = (torch.arange(CELLS) + 0.5) * 2 / CELLS - 1
    radius = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).norm(dim=0)
    exact = 1 / MARGIN - radius
    assert ((volume > 0) != (exact > 0))[exact.abs() > 0.005].sum() == 0  # facets lie within the ball
    edge = np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1).max() / MARGIN
    near = exact > -2 / CELLS
    assert (volume - exact)[near].abs().max() < edge / 3
    assert (volume - exact)[exact > 0.2].abs().max() < 0.01


def test_rays_through_edges_and_corners_do_not_leak() -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = torch.tensor([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])])
    for half in (0.5, 0.625):  # cells' borders, and exactly the cells' centres
        inside = ~torch.signbit(signed_volumes(torch.from_numpy(corners * half).float()[None], faces, 8)[0])
        assert int(inside.sum()) == (4**3 if half == 0.5 else 5**3)
        rows = [int(inside.any(dim=first).any(dim=second).sum()) for first, second in ((1, 1), (0, 1), (0, 0))]
        assert rows[0] * rows[1] * rows[2] == inside.sum()


def test_people_are_pushed_apart_and_the_volume_has_no_gradient() -> None:
    vertices, faces = ball(2)
    bodies = moved(vertices, (0, 0, 5), (1.2, 0, 5)).requires_grad_()
    faces_t, images = torch.from_numpy(faces), torch.zeros(2, dtype=torch.int64)
    before = interpenetration_loss(bodies, faces_t, images)
    before.backward()
    assert bodies.grad is not None
    push = -bodies.grad.sum(dim=1)
    assert push[0, 0] < 0 < push[1, 0]
    assert push[0, 0].item() == pytest.approx(-push[1, 0].item(), rel=0.2)
    outside = (bodies.detach()[0] - torch.tensor([1.2, 0, 5])).norm(dim=1) > 1.1
    assert torch.all(bodies.grad[0][outside] == 0)
    with torch.no_grad():
        after = interpenetration_loss(bodies - 0.05 * bodies.grad / bodies.grad.abs().max(), faces_t, images)
    assert after < before


def test_whoever_does_not_touch_costs_nothing() -> None:
    vertices, faces = ball(1)
    faces_t = torch.from_numpy(faces)
    apart = moved(vertices, (0, 0, 0), (2.5, 0, 0)).requires_grad_()
    loss = interpenetration_loss(apart, faces_t, torch.zeros(2, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0
    same_place = moved(vertices, (0, 0, 0), (0.5, 0, 0))
    assert interpenetration_loss(same_place, faces_t, torch.tensor([0, 1])).item() == 0.0
    third = moved(vertices, (0, 0, 0), (0.5, 0, 0), (9, 9, 9))  # a bystander must not silence the other two
    assert interpenetration_loss(third, faces_t, torch.zeros(3, dtype=torch.int64)).item() > 0.0


@pytest.mark.parametrize("people", [0, 1])
def test_nobody_and_one_person(people: int) -> None:
    vertices, faces = ball(1)
    bodies = moved(vertices, (0, 0, 0))[:people].requires_grad_()
    loss = interpenetration_loss(bodies, torch.from_numpy(faces), torch.zeros(people, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0


def test_finite_for_equal_flat_far_and_broken_bodies_under_autocast() -> None:
    vertices, faces = ball(1)
    bodies = moved(vertices, (0, 0, 0), (0, 0, 0), (1e6, 0, 0), (1e6, 0.3, 0), (0.4, 0, 0), (0.3, 0, 0))
    bodies[4, 0] = torch.nan
    bodies[5, :, 2] = 0.0
    bodies.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = interpenetration_loss(bodies, torch.from_numpy(faces), torch.zeros(6, dtype=torch.int64))
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert bodies.grad is not None
    assert torch.isfinite(bodies.grad).all()


def test_the_open_body_is_closed_and_two_of_it_collide() -> None:
    body = load_body(None)
    faces = torch.from_numpy(body.faces)
    person = torch.from_numpy(body.v_template)
    volume = signed_volumes((person / 1.3)[None], faces, CELLS)
    assert 100 < int((volume > 0).sum()) < 2000  # a leak would fill columns
    bodies = torch.stack((person, person + torch.tensor([0.1, 0.0, 0.05])))
    assert interpenetration_loss(bodies, faces, torch.zeros(2, dtype=torch.int64)).item() > 0.1
