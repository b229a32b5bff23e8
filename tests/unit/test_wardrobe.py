"""What people wear: kinds, regions, thickness, colours, and meshes that go with every pose."""

from __future__ import annotations

import numpy as np
import pytest

from mili_core.body import load_body
from mili_core.raster import rasterise
from mili_core.synth.people.persona import draw_personas
from mili_core.synth.people.rig import Field, Posed, Rig, prepare_rig
from mili_core.synth.poses.generators import sample_angles
from mili_core.synth.poses.skeleton import Joint, angles_to_rotmats
from mili_core.synth.wardrobe import (
    Bag,
    Bottom,
    Hair,
    Headwear,
    Outfits,
    Pattern,
    PosedPerson,
    Region,
    Top,
    WornMesh,
    albedo,
    draw_outfits,
    fold_normals,
    regions,
    thickness_m,
    worn,
)
from mili_core.synth.wardrobe.face import beard_share
from mili_core.synth.wardrobe.shoes import without_toes
from mili_core.synth.wardrobe.skirt import drape_skirt

COUNT = 60


@pytest.fixture(scope="module")
def rig() -> Rig:
    return prepare_rig(load_body())


@pytest.fixture(scope="module")
def outfits() -> Outfits:
    return draw_outfits(np.random.default_rng(2), COUNT, cold=0.5)


def _pose(rig: Rig, kinds: list[str] | None, count: int, seed: int) -> tuple[Posed, np.ndarray]:
    rng = np.random.default_rng(seed)
    betas = draw_personas(rng, rig, count, child_share=0.1).betas
    posed = rig.pose(betas, angles_to_rotmats(sample_angles(rng, count, kinds)))
    lift = -posed.vertices[..., 1].min(axis=1)
    up = np.array([0.0, 1.0, 0.0], dtype=np.float32) * lift[:, None, None]
    transforms = posed.transforms.copy()
    transforms[..., 3] += up
    return Posed(posed.vertices + up, posed.joints + up, transforms), betas


def _person(posed: Posed, betas: np.ndarray, index: int) -> PosedPerson:
    return PosedPerson(posed.vertices[index], posed.joints[index], posed.transforms[index], betas[index])


def _only(outfits: Outfits, **values: float) -> Outfits:
    """Gives looks with some attributes set for everybody."""
    changed = outfits.take(np.arange(len(outfits)))
    for name, value in values.items():
        getattr(changed, name)[...] = value
    return changed


def test_there_are_enough_kinds_and_the_weather_decides_on_coats() -> None:
    cold, hot = (draw_outfits(np.random.default_rng(1), 800, cold=cold, sporty=0.0) for cold in (1.0, 0.0))
    worn_kinds = len(np.unique([*cold.top, *hot.top])) + len(np.unique([*cold.bottom, *hot.bottom]))
    assert worn_kinds >= 12
    coats = [Top.COAT, Top.PUFFER]
    assert np.isin(cold.top, coats).mean() > 0.25
    assert not np.isin(hot.top, coats).any()
    assert (hot.bottom == Bottom.SHORTS).mean() > 0.1
    assert not (cold.bottom == Bottom.SHORTS).any()
    assert set(np.unique(cold.hair)) == {int(kind) for kind in Hair}


def test_children_women_and_men_dress_as_they_do() -> None:
    child, female = np.arange(900) % 3 == 0, np.arange(900) % 2 == 0
    drawn = draw_outfits(np.random.default_rng(4), 900, child=child, female=female)
    assert not np.isin(drawn.top[child], [Top.BLAZER, Top.BLOUSE]).any()
    assert (drawn.hair[child] != Hair.BALD).all()
    assert (drawn.beard[child | female] == 0).all()
    assert (drawn.top[~female] != Top.DRESS).all()
    sporty = draw_outfits(np.random.default_rng(4), 300, sporty=1.0, cold=0.0)
    assert np.isin(sporty.top, [Top.T_SHIRT, Top.TANK, Top.VEST]).all()


def test_most_clothes_are_black_grey_white_or_blue_and_some_are_bright() -> None:
    colours = draw_outfits(np.random.default_rng(6), 1500).colours[:, Region.TOP]
    saturation = 1.0 - colours.min(axis=1) / np.maximum(colours.max(axis=1), 1e-4)
    bright = (saturation > 0.75) & (colours.max(axis=1) > 0.2)
    assert 0.04 < bright.mean() < 0.25
    assert colours.min() >= 0.0
    assert colours.max() <= 1.0


def test_the_same_seed_gives_the_same_looks(rig: Rig) -> None:
    first, second = (draw_outfits(np.random.default_rng(8), 12) for _ in range(2))
    np.testing.assert_array_equal(first.colours, second.colours)
    np.testing.assert_array_equal(thickness_m(rig, first), thickness_m(rig, second))
    assert [first.extras(i) for i in range(12)] == [second.extras(i) for i in range(12)]


def test_one_look_paints_as_many_equal_looks_do(rig: Rig, outfits: Outfits) -> None:
    some = np.random.default_rng(0).integers(0, rig.body.vertex_count, 3000)
    points = rig.fields[some]
    for person in range(0, COUNT, 5):
        one, many = outfits.one(person), outfits.take(np.full(len(points), person))
        region = regions(rig, points, one)
        np.testing.assert_array_equal(region, regions(rig, points, many))
        np.testing.assert_allclose(albedo(points, region, one), albedo(points, region, many), atol=1e-6)
        normals = [np.ones((len(points), 3), dtype=np.float32) for _ in range(2)]
        fold_normals(points, region, one, normals[0])
        fold_normals(points, region, many, normals[1])
        np.testing.assert_allclose(normals[0], normals[1], atol=1e-6)


def test_skin_shows_only_where_nothing_is_worn(rig: Rig, outfits: Outfits) -> None:
    fields = rig.fields
    trunk = (fields[:, Field.ARM] < -0.2) & (fields[:, Field.LEG] < 0.12) & (fields[:, Field.Y] < rig.shoulder_y - 0.1)
    face = (fields[:, Field.FRONT] > 0.6) & (np.abs(fields[:, Field.HEAD] - 0.4) < 0.12)
    face &= np.abs(fields[:, Field.X]) < 0.045
    for person in range(COUNT):
        region = regions(rig, fields, outfits.one(person))
        assert (region[trunk] != Region.SKIN).all()
        assert (region[fields[:, Field.ARM] > 1.1] == Region.SKIN).all()
        assert (region[fields[:, Field.LEG] > 1.03] >= Region.SHOE).all()
        assert (region[face] == Region.SKIN).all()


def test_faces_have_dark_eyes_below_brows_and_redder_lips(rig: Rig, outfits: Outfits) -> None:
    look = _only(outfits, beard=0.0, glasses=0.0, headwear=int(Headwear.NONE)).one(0)
    look.colours[:, Region.SKIN] = [0.6, 0.4, 0.3]

    def at(x: float, head: float) -> np.ndarray:
        point = np.zeros((1, Field.COUNT), dtype=np.float32)
        point[0, [Field.X, Field.ARM, Field.LEG, Field.HEAD, Field.FRONT]] = [x, -0.5, -0.8, head, 0.9]
        point[0, Field.Y] = rig.chin_y + head * 0.23
        painted: np.ndarray = albedo(point, np.array([Region.SKIN]), look)[0]
        return painted

    cheek, forehead = at(0.045, 0.4), at(0.0, 0.68)
    for side in (-1.0, 1.0):
        assert at(0.0305 * side, 0.5).mean() < 0.3 * cheek.mean()
    lips = at(0.012, 0.2)
    assert lips[1] / lips[0] < 0.8 * cheek[1] / cheek[0]
    assert forehead.mean() > 0.9 * 0.43


def test_clothes_stand_off_like_clothes_and_the_feet_stay_on_the_ground(rig: Rig, outfits: Outfits) -> None:
    offsets = thickness_m(rig, outfits)
    assert np.isfinite(offsets).all()
    assert offsets.min() >= 0.0
    assert offsets.max() < 0.13
    waist = (np.abs(rig.fields[:, Field.LEG] + 0.25) < 0.03) & (rig.fields[:, Field.ARM] < 0)
    assert 0.005 < offsets[:, waist].mean() < 0.06
    puffer = np.isin(outfits.top, [Top.PUFFER, Top.COAT])
    assert offsets[puffer][:, waist].mean() > offsets[outfits.top == Top.T_SHIRT][:, waist].mean()
    surface = rig.body.v_template + rig.normals * offsets[..., None]
    sunk = rig.body.v_template[:, 1].min() - surface[..., 1].min(axis=1)
    assert sunk.max() < 0.003


def test_hands_and_faces_stay_bare(rig: Rig, outfits: Outfits) -> None:
    offsets = thickness_m(rig, outfits)
    assert offsets[:, rig.fields[:, Field.ARM] > 1.1].max() == 0.0
    nose = rig.fields[:, Field.FRONT] > 0.97
    assert offsets[:, nose].max() < 0.01


def _check_mesh(mesh: WornMesh) -> None:
    count = len(mesh.vertices_m)
    assert mesh.vertices_m.dtype == np.float32
    assert mesh.faces.dtype == np.int64
    assert mesh.fields.shape == (count, Field.COUNT)
    assert np.isfinite(mesh.vertices_m).all()
    assert np.isfinite(mesh.fields).all()
    assert mesh.faces.min() >= 0
    assert mesh.faces.max() < count
    if mesh.region < 0:
        assert mesh.albedo is not None
        assert mesh.albedo.shape == (count, 3)
    else:
        assert mesh.albedo is None
        assert mesh.region < Region.COUNT


def test_every_pose_can_be_dressed(rig: Rig, outfits: Outfits) -> None:
    posed, betas = _pose(rig, None, COUNT, 7)
    seen = set()
    for person in range(COUNT):
        for mesh in worn(rig, outfits, person, _person(posed, betas, person)):
            _check_mesh(mesh)
            seen.add(mesh.region)
            # Nothing flies about: all of it is within reach of the body.
            low, high = posed.vertices[person].min(axis=0) - 0.35, posed.vertices[person].max(axis=0) + 0.35
            assert (mesh.vertices_m > low).all()
            assert (mesh.vertices_m < high).all()
    assert {-1, Region.TOP, Region.HAIR, Region.HEADWEAR} <= seen


@pytest.mark.parametrize("kind", ["stand", "walk", "sit", "bend", "crouch"])
def test_legs_stay_inside_skirts(rig: Rig, kind: str) -> None:
    posed, betas = _pose(rig, [kind], 8, 3)
    thighs = (rig.fields[:, Field.LEG] > 0.25) & (rig.fields[:, Field.LEG] < 0.42)
    for index in range(8):
        person = _person(posed, betas, index)
        skirt = drape_skirt(rig, person, region=Region.BOTTOM, start=-0.15, end=0.6, ease_m=0.01, flare=0.1)
        for azimuth in (0.0, 1.6, 3.1, 4.7):
            cos, sin = np.cos(azimuth), np.sin(azimuth)
            turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
            cloth, legs = (_seen(points, person, turn) for points in (skirt.vertices_m, person.vertices[thighs]))
            depth = rasterise(cloth, skirt.faces, 200, 260).depth
            column, row = (np.clip(legs[:, axis].astype(int), 0, limit) for axis, limit in ((0, 199), (1, 259)))
            body = rasterise(_seen(person.vertices, person, turn), rig.body.faces, 200, 260).depth
            shown = (legs[:, 2] < depth[row, column] - 0.005) & (legs[:, 2] < body[row, column] + 0.01)
            assert shown.mean() < 0.15, f"{kind} {index}"


def _seen(points: np.ndarray, person: PosedPerson, turn: np.ndarray) -> np.ndarray:
    """Gives points as seen from the front of a turned person, a centimetre a pixel."""
    x, y, z = ((points - person.joints[Joint.PELVIS]) @ turn.T).T
    return np.stack([(x + 1.0) * 100.0, (1.0 - y) * 100.0, 10.0 - z], axis=1).astype(np.float32)


def test_bags_are_no_part_of_the_silhouette_and_hang_from_lowered_hands_only(rig: Rig, outfits: Outfits) -> None:
    posed, betas = _pose(rig, ["stand"], 20, 1)
    for kind in (Bag.BACKPACK, Bag.SHOULDER, Bag.HANDBAG, Bag.SHOPPING):
        carrying = _only(outfits, bag=int(kind))
        found = 0
        for index in range(20):
            person = _person(posed, betas, index)
            bags = [mesh for mesh in worn(rig, carrying, index, person) if mesh.region < 0]
            found += len(bags)
            for bag in bags:
                assert bag.vertices_m[:, 1].min() > -0.01
                if kind in (Bag.HANDBAG, Bag.SHOPPING):
                    left = person.joints[[Joint.LEFT_HAND, Joint.RIGHT_HAND]]
                    assert np.abs(left[:, 1] - bag.vertices_m[:, 1].max()).min() < 0.1
        assert found == 20 if kind in (Bag.BACKPACK, Bag.SHOULDER) else found > 5


def test_worn_meshes_and_their_bytes_do_not_depend_on_the_call(rig: Rig, outfits: Outfits) -> None:
    posed, betas = _pose(rig, None, 6, 2)
    person = _person(posed, betas, 3)
    stand_off = thickness_m(rig, outfits)
    first, second = worn(rig, outfits, 3, person), worn(rig, outfits, 3, person, stand_off[3])
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.vertices_m, other.vertices_m)


def test_patterns_change_the_colour_of_tops(rig: Rig, outfits: Outfits) -> None:
    plain = _only(outfits, pattern=int(Pattern.PLAIN), open_front=0.0, bag=int(Bag.NONE), top=int(Top.T_SHIRT)).one(0)
    plain.colours[:, Region.TOP], plain.accent[:] = 0.1, 0.8
    region = regions(rig, rig.fields, plain)
    without = albedo(rig.fields, region, plain)
    for pattern in Pattern:
        if pattern == Pattern.PLAIN:
            continue
        with_pattern = albedo(rig.fields, region, _only(plain, pattern=int(pattern)))
        changed = np.abs(with_pattern - without).max(axis=1) > 0.05
        assert changed[region == Region.TOP].mean() > 0.02, pattern.name
        assert not changed[region != Region.TOP].any(), pattern.name


def test_straps_have_the_colour_of_their_bag_and_shoes_never_that_of_skin() -> None:
    drawn = draw_outfits(np.random.default_rng(3), 800)
    skin = np.sqrt(drawn.colours[:, Region.SKIN])
    for region in (Region.SHOE, Region.SOLE, Region.SOCK, Region.TRIM):
        assert np.abs(np.sqrt(drawn.colours[:, region]) - skin).max(axis=1).min() > 0.1, region
    strapped = np.isin(drawn.bag, [Bag.BACKPACK, Bag.SHOULDER])
    strap, bag = drawn.colours[strapped, Region.TRIM], drawn.bag_colour[strapped]
    assert (strap <= bag + 0.02).all()
    assert np.isclose(strap, 0.7 * bag, rtol=1e-3).all(axis=1).mean() > 0.7


def test_shoes_have_no_toes(rig: Rig) -> None:
    rest = rig.body.v_template
    shod = without_toes(rig, rest)
    moved = np.linalg.norm(shod - rest, axis=1)
    assert moved[rig.fields[:, Field.LEG] < 0.9].max() < 1e-5
    assert 0.002 < moved.max() < 0.04

    def area(vertices: np.ndarray) -> float:
        a, b, c = vertices[rig.body.faces[(moved > 0.002)[rig.body.faces].all(axis=1)]].transpose(1, 0, 2)
        return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())

    # The sides of the toes are gone.
    assert area(shod) < 0.75 * area(rest)


def test_beards_end_softly(rig: Rig) -> None:
    share = beard_share(rig.fields)
    assert share.max() > 0.7
    face = (rig.fields[:, Field.FRONT] > 0.5) & (np.abs(rig.fields[:, Field.HEAD] - 0.5) < 0.08)
    assert share[face & (np.abs(rig.fields[:, Field.X]) < 0.03)].max() == 0.0
    assert ((share > 0.05) & (share < 0.6)).sum() > 0.3 * (share > 0.05).sum()
