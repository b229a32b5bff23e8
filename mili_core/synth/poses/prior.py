"""The prior of human poses: a mixture of Gaussians over joint rotations, fitted to what the generators draw.

The fitted prior ships as data/pose_prior.npz; `python -m mili_core.synth.poses.prior` makes it again. Training reads
it (mili_core.training.initial) instead of fitting its own.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mili_core.errors import StoreError
from mili_core.synth.poses.generators import GENERATORS, draw_poses

STORED = Path(__file__).parents[1] / "data" / "pose_prior.npz"
REMAKE = "make it again with `python -m mili_core.synth.poses.prior`"

VERSION = 2
"""Of the file's layout and of the generators' distribution; a changed generator asks for a new fit and a step."""

COUNT = 48_000
SEED = 0
DIMENSIONS = 23 * 6

NOISE = 0.08
"""Standard deviation added in every direction, 6-D units (some 5 degrees): generators are narrower than humanity."""

ANY_SHARE = 0.1
"""Weight of the one broad component, fitted to all kinds together: a pose of no kind is unlikely, not impossible."""

GROUPS: dict[str, tuple[str, ...]] = {
    "upright": ("stand", "photograph", "lean_wall"),
    "walking": ("walk", "push", "carry"),
    "running": ("run", "play"),
    "seated": ("sit",),
    "low": ("crouch", "kneel"),
    "bent": ("bend", "lean_bar"),
    "riding": ("cycle",),
    "sport": ("lunge", "kick", "jump"),
}
"""Kinds that share a Gaussian: their legs do alike things."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedPrior:
    """A mixture of K Gaussians over the 6-D rotations of joints 1..23, columns interleaved as mili_core.body has them.

    Attributes:
        names: K names of GROUPS, then "any".
        weights: (K,) float64, sum 1.
        means: (K, 138) float64.
        factors: (K, 138, 138) float64 lower Cholesky factors of the covariances.
        mean_rot6d: (23, 6) float64 mean of all poses in their shares.
        count, seed: what it was fitted to.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]
    mean_rot6d: NDArray[np.float64]
    count: int
    seed: int


def fit_prior(count: int, seed: int) -> FittedPrior:
    """Gives the prior of about `count` drawn poses, the same for the same seed."""
    rng = np.random.default_rng(seed)
    shares = np.array([sum(GENERATORS[kind].share for kind in kinds) for kinds in GROUPS.values()])
    shares /= shares.sum()
    fitted, everything = [], []
    for kinds in GROUPS.values():
        rot6d = _rot6d(draw_poses(rng, count // len(GROUPS), kinds).rotmats())
        fitted.append((rot6d.mean(axis=0), _covariance(rot6d)))
        everything.append(rot6d)
    mean = np.einsum("k,kd->d", shares, np.stack([centre for centre, _ in fitted]))
    # All kinds alike, so that the broad component covers rare ones too.
    pooled = np.concatenate(everything)
    fitted.append((pooled.mean(axis=0), _covariance(pooled)))
    return FittedPrior(
        names=(*GROUPS, "any"),
        weights=np.append((1.0 - ANY_SHARE) * shares, ANY_SHARE),
        means=np.stack([centre for centre, _ in fitted]),
        factors=np.stack([np.linalg.cholesky(covariance) for _, covariance in fitted]),
        mean_rot6d=mean.reshape(23, 6),
        count=count,
        seed=seed,
    )


def log_density(prior: FittedPrior, rotmats: NDArray[np.floating]) -> NDArray[np.float64]:
    """Gives (N,) log densities, up to a constant, of poses (N, 24, 3, 3); the plain twin of training's loss."""
    offset = _rot6d(rotmats)[None] - prior.means[:, None]
    scaled = np.stack([np.linalg.solve(factor, rows.T).T for factor, rows in zip(prior.factors, offset, strict=True)])
    spread = np.log(np.diagonal(prior.factors, axis1=1, axis2=2)).sum(axis=1)
    terms = (np.log(prior.weights) - spread)[:, None] - 0.5 * np.square(scaled).sum(axis=2)
    top = terms.max(axis=0)
    density: NDArray[np.float64] = top + np.log(np.exp(terms - top).sum(axis=0))
    return density


def save_prior(prior: FittedPrior, path: Path) -> None:
    """Writes the prior: factors as lower triangles in half precision, which keeps covariances positive."""
    rows, columns = np.tril_indices(DIMENSIONS)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        version=np.int64(VERSION),
        count=np.int64(prior.count),
        seed=np.int64(prior.seed),
        kinds=np.array([",".join(kinds) for kinds in GROUPS.values()]),
        names=np.array(prior.names),
        weights=prior.weights,
        means=prior.means.astype(np.float32),
        factors=prior.factors[:, rows, columns].astype(np.float16),
        mean_rot6d=prior.mean_rot6d.astype(np.float32),
    )
    partial.replace(path)


def load_prior(path: Path = STORED) -> FittedPrior:
    """Gives a stored prior, the shipped one by default.

    Raises:
        StoreError: the file is missing, damaged or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(f"pose prior {path} cannot be read ({type(error).__name__}); {REMAKE}") from error
    if int(stored.get("version", -1)) != VERSION:
        raise StoreError(f"pose prior {path} has version {stored.get('version')}, expected {VERSION}; {REMAKE}")
    rows, columns = np.tril_indices(DIMENSIONS)
    factors = np.zeros((len(stored["weights"]), DIMENSIONS, DIMENSIONS), dtype=np.float64)
    factors[:, rows, columns] = stored["factors"]
    return FittedPrior(
        names=tuple(str(name) for name in stored["names"]),
        weights=stored["weights"],
        means=stored["means"].astype(np.float64),
        factors=factors,
        mean_rot6d=stored["mean_rot6d"].astype(np.float64),
        count=int(stored["count"]),
        seed=int(stored["seed"]),
    )


def _rot6d(rotmats: NDArray[np.floating]) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = rotmats[:, 1:, :, :2].reshape(len(rotmats), DIMENSIONS).astype(np.float64)
    return flat


def _covariance(rot6d: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance: NDArray[np.float64] = np.cov(rot6d, rowvar=False) + NOISE**2 * np.eye(DIMENSIONS)
    return covariance


def main(arguments: Sequence[str] | None = None) -> None:
    """Fits the prior and stores it."""
    parser = argparse.ArgumentParser(prog="python -m mili_core.synth.poses.prior", description=main.__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="poses to draw (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the draw (default %(default)s)")
    parser.add_argument("--output", type=Path, default=STORED, help="npz to write (default: the shipped one)")
    options = parser.parse_args(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    save_prior(fit_prior(options.count, options.seed), options.output)
    sys.stdout.write(f"{options.output}: {options.output.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
