"""The flags of jobs that run MILI's own model, and the settings that they make."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from pipeline.config import ModelSettings

_FILES = ("weights", "body")
_CHOICES = ("branch", "lr_mode", "lr_scale", "compat")


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Adds --weights, --body, --branch, --lr-mode, --lr-scale, --compat and --device, in the settings' own words."""
    for name in (*_FILES, *_CHOICES):
        field = ModelSettings.model_fields[name]
        default = f" (default: {field.default})" if field.default else ""
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=Path if name in _FILES else str,
            choices=_values(name) if name in _CHOICES else None,
            default=field.default,
            help=f"{field.description}{default}",
        )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")


def model_settings(options: argparse.Namespace, *, score_threshold: float | None = None) -> ModelSettings:
    """Gives the settings that these flags ask for, their device left out.

    Args:
        options: parsed with the flags of `add_model_flags`.
        score_threshold: least score of a detection; None: what the weights recommend.
    """
    chosen = {name: getattr(options, name) for name in (*_FILES, *_CHOICES)}
    return ModelSettings(**chosen, score_threshold=score_threshold)


def _values(name: str) -> tuple[str, ...]:
    """Gives what a setting with a few known values can be."""
    annotation = ModelSettings.model_fields[name].annotation
    literals = [annotation, *get_args(annotation)]
    return tuple(value for literal in literals for value in get_args(literal) if isinstance(value, str))
