"""People of a scene: heights, weights and children that the shape space can show, on any body."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mili_core.body import BodyModel, load_body
from mili_core.synth.people.persona import (
    BETA_LIMIT,
    BMI_RANGE,
    CHILD_LIMIT,
    FOREIGN_CHILD_LIMIT,
    Personas,
    draw_personas,
    learn_shape_space,
)
from mili_core.synth.people.rig import prepare_rig


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def personas(body: BodyModel) -> Personas:
    return draw_personas(np.random.default_rng(3), prepare_rig(body), 600, child_share=0.15)


def test_adults_are_as_tall_as_women_and_men_are(personas: Personas) -> None:
    for female, mean in ((True, 1.62), (False, 1.75)):
        heights = personas.height_m[(personas.female == female) & ~personas.child]
        assert heights.mean() == pytest.approx(mean, abs=0.02)
        assert heights.std() == pytest.approx(0.07, abs=0.015)


def test_children_are_small(personas: Personas) -> None:
    children = personas.height_m[personas.child]
    assert 0.08 < personas.child.mean() < 0.25
    assert children.min() > 0.85
    assert children.max() < 1.55
    assert np.ptp(children) > 0.4


def test_weights_are_spread_to_the_heavy_side(personas: Personas) -> None:
    bmi = personas.bmi[~personas.child]
    assert bmi.min() >= BMI_RANGE[0] - 0.5
    assert bmi.max() <= BMI_RANGE[1] + 0.5
    low, middle, high = np.quantile(bmi, [0.05, 0.5, 0.95])
    assert high - middle > 1.2 * (middle - low)


def test_stated_height_and_weight_are_those_of_the_shape(body: BodyModel, personas: Personas) -> None:
    for person in [*np.flatnonzero(personas.child)[:3], *np.flatnonzero(~personas.child)[:8]]:
        shape = (body.v_template + body.shapedirs @ personas.betas[person]).astype(np.float64)
        height = np.ptp(shape[:, 1])
        a, b, c = (shape[body.faces[:, corner]] for corner in range(3))
        weight = 1010.0 * np.einsum("fk,fk->", a, np.cross(b, c)) / 6.0
        assert personas.height_m[person] == pytest.approx(height, abs=0.01)
        assert personas.bmi[person] == pytest.approx(weight / height**2, rel=0.03)


def test_betas_stay_within_their_limits_and_differ(personas: Personas) -> None:
    assert np.abs(personas.betas[~personas.child]).max() <= BETA_LIMIT + 1e-5
    assert np.abs(personas.betas[personas.child]).max() <= CHILD_LIMIT + 1e-5
    assert (personas.betas.std(axis=0) > 0.3).all()


def test_the_same_seed_gives_the_same_people(body: BodyModel) -> None:
    rig = prepare_rig(body)
    first, second = (draw_personas(np.random.default_rng(9), rig, 20) for _ in range(2))
    np.testing.assert_array_equal(first.betas, second.betas)
    np.testing.assert_array_equal(first.child, second.child)


def test_nobody_is_drawn_when_nobody_is_wanted(body: BodyModel) -> None:
    assert len(draw_personas(np.random.default_rng(0), prepare_rig(body), 0)) == 0


def test_a_row_can_be_taken(personas: Personas) -> None:
    some = personas.take(np.array([5, 2]))
    np.testing.assert_array_equal(some.betas, personas.betas[[5, 2]])
    np.testing.assert_array_equal(some.child, personas.child[[5, 2]])


def test_another_body_keeps_to_its_limits_when_it_has_no_small_shapes(body: BodyModel) -> None:
    # A body like SMPL: taller with a smaller first beta, and much less so; the last directions do nothing.
    directions = body.shapedirs.copy()
    directions[..., 0] *= -0.5
    directions[..., 6:] = 0.0
    other = dataclasses.replace(body, name="smpl", shapedirs=directions, vertex_ids=None)
    drawn = draw_personas(np.random.default_rng(1), prepare_rig(other), 200, child_share=0.2)
    assert np.isfinite(drawn.betas).all()
    assert np.abs(drawn.betas[drawn.child]).max() <= FOREIGN_CHILD_LIMIT + 1e-5
    shortest = learn_shape_space(other).height @ [1.0, FOREIGN_CHILD_LIMIT, *np.zeros(9)]
    assert drawn.height_m.min() >= shortest - 0.1
    assert drawn.height_m[~drawn.child].mean() == pytest.approx(1.69, abs=0.03)
