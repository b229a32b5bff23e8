"""Betas carried to another body keep the skeleton's distances."""

from dataclasses import replace

import numpy as np

from mili_core.body import load_body
from mili_core.body.fit_betas import _distances, _joints, fit_betas


def test_the_same_body_gives_the_same_skeleton() -> None:
    body = load_body()
    betas = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    fitted = fit_betas(body, body, betas)
    error = _distances(_joints(body, fitted.astype(float)))[0] - _distances(_joints(body, betas.astype(float)))[0]
    assert np.abs(error).max() < 5e-4


def test_another_basis_and_template_is_fitted() -> None:
    body = load_body()
    rng = np.random.default_rng(1)
    mixing = np.linalg.qr(rng.normal(size=(10, 10)))[0].astype(np.float32)
    bias = body.shapedirs @ rng.normal(size=10).astype(np.float32) * 0.3
    other = replace(body, name="smpl", shapedirs=body.shapedirs @ mixing, v_template=body.v_template + bias)
    betas = rng.normal(size=(4, 10)).astype(np.float32)
    fitted = fit_betas(body, other, betas)
    wanted = _distances(_joints(body, betas.astype(float)))[0]
    assert np.abs(_distances(_joints(other, fitted.astype(float)))[0] - wanted).max() < 5e-4
    assert np.abs(_distances(_joints(other, betas.astype(float)))[0] - wanted).max() > 5e-3


def test_nobody() -> None:
    body = load_body()
    assert fit_betas(body, body, np.zeros((0, 10), dtype=np.float32)).shape == (0, 10)
