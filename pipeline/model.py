"""Loads the model that the settings name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mili_core.errors import ConfigError, MiliError
from mili_core.protocol import ModelIdentity, PersonPredictor
from pipeline.config import ModelSettings


def load_model(settings: ModelSettings, device: str) -> PersonPredictor:
    """Gives the predictor on a device.

    Args:
        settings: which model.
        device: "cpu", "cuda", "cuda:N" or "auto", in place of the one in the settings.

    Raises:
        ConfigError: --model names nothing that can be imported, fails, or is no predictor.
        mili_core.errors.MiliError: weights or body cannot be used.
    """
    if settings.factory is not None:
        return _from_factory(settings.factory, device)
    from mili_core.api import Predictor  # noqa: PLC0415 - brings torch, which other models may do without

    return Predictor.load(
        weights=settings.weights,
        body=settings.body,
        device=device,
        score_threshold=settings.score_threshold,
        body_mismatch=settings.body_mismatch,
        branch=settings.branch,
        lr_mode=settings.lr_mode,
        lr_scale=settings.lr_scale,
        compat=settings.compat,
    )


def _from_factory(name: str, device: str) -> PersonPredictor:
    module_name, _, attribute = name.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:  # a user's own module lies where the job is started
        sys.path.append(folder)
    with _users_code(f"--model {name}: cannot be imported", "give package.module:factory"):
        factory = getattr(importlib.import_module(module_name), attribute)
    with _users_code(f"--model {name}: failed on device {device!r}", "--debug shows where in it"):
        predictor = factory(device)
    if not isinstance(predictor, PersonPredictor):
        kind = type(predictor).__name__
        raise ConfigError(f"--model {name}: gave a {kind} without 'identity' and 'predict'; see mili_core.protocol")
    with _users_code(f"--model {name}: its identity failed", "see mili_core.protocol"):
        identity: object = predictor.identity
    if not isinstance(identity, ModelIdentity):
        kind = type(identity).__name__
        raise ConfigError(f"--model {name}: its identity is a {kind}, not a ModelIdentity; see mili_core.protocol")
    return predictor


@contextmanager
def _users_code(problem: str, remedy: str) -> Iterator[None]:
    """Turns whatever the user's module raises into a ConfigError of one line; our own errors pass."""
    try:
        yield
    except MiliError:
        raise
    except (Exception, SystemExit) as error:
        line = next(iter(str(error).splitlines()), "")
        raise ConfigError(f"{problem} ({type(error).__name__}: {line}); {remedy}") from error
