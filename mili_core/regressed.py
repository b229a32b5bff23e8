"""Which body a predictor's people have: the one that the weights regress, one fitted to it, or a stand-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from mili_core.body import BodyModel, load_body
from mili_core.body.fit_betas import fit_betas
from mili_core.errors import BodyError, ConfigError
from mili_core.weights import Weights

BodyMismatch = Literal["refuse", "fit"]


@dataclass(frozen=True, slots=True)
class RegressedBody:
    """A body and how regressed betas become its own.

    Attributes:
        body: whose joints are computed.
        source: the body that the weights regress, where betas are fitted from it; else None.
        stand_in: the weights' own body is not at hand: betas stay that body's, joints are those of `body` at its
            mean shape.
    """

    body: BodyModel
    source: BodyModel | None = None
    stand_in: bool = False

    def betas(self, betas: Float[Tensor, "n 10"]) -> Float[Tensor, "n 10"]:
        """Gives the betas of a result."""
        if self.source is None:
            return betas
        fitted = fit_betas(self.source, self.body, betas.float().cpu().numpy())
        return torch.from_numpy(fitted).to(betas)

    def joint_betas(self, betas: Float[Tensor, "n 10"]) -> Float[Tensor, "n 10"]:
        """Gives the betas, of a result, that joints are computed with."""
        return torch.zeros_like(betas) if self.stand_in else betas


def regressed_body(weights: Weights, body: BodyModel, mismatch: BodyMismatch, *, stand_in: bool) -> RegressedBody:
    """Gives the body of a predictor.

    Args:
        weights: they name the body that they regress.
        body: the one to use.
        mismatch: what to do where it is another: "refuse", or "fit" betas.
        stand_in: take it for the one that the weights regress instead; see `RegressedBody`.

    Raises:
        ConfigError: another `mismatch`.
        BodyError: the bodies differ and mismatch is "refuse", or the regressed body is not at hand.
    """
    if mismatch not in (known := get_args(BodyMismatch)):
        raise ConfigError(f"body_mismatch cannot be {mismatch!r}; it is one of {', '.join(known)}")
    if suits(weights, body):
        return RegressedBody(body)
    if stand_in:
        return RegressedBody(body, stand_in=True)
    named = f"{weights.body_name!r} ({weights.body_sha256[:12] or 'hash unknown'})"
    if mismatch == "refuse":
        raise BodyError(
            f"body {body.name!r} ({body.sha256[:12]}) is not the one that the weights regress, {named}; leave --body "
            "out, use weights made for it, or give --body-mismatch fit"
        )
    shipped = load_body()
    if shipped.sha256 != weights.body_sha256:
        raise BodyError(f"betas can be fitted from the shipped body only, and the weights regress {named}")
    return RegressedBody(body, source=shipped)


def suits(weights: Weights, body: BodyModel) -> bool:
    """True where the weights regress `body`: by its hash or, where their maker did not know one, by its name."""
    if weights.body_sha256 == "":
        return body.name == weights.body_name
    return body.sha256 == weights.body_sha256
