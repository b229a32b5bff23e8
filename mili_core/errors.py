"""Errors that a user can act on.

Each message says what is wrong, with which value, where, and what to do about it. Every class takes exactly
one argument, the message, so that it survives pickling between Ray workers, and also inherits the builtin
that a caller would naturally catch.
"""


class MiliError(Exception):
    """Base of every error that the project raises on purpose; its message is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class ConfigError(MiliError, ValueError):
    """A setting is unknown, out of range or contradicts another."""


class MissingFileError(MiliError, FileNotFoundError):
    """A file or folder that was named does not exist."""


class ImageError(MiliError, ValueError):
    """An image or frame cannot be used: empty, truncated, of an unsupported kind."""


class WeightsError(MiliError, ValueError):
    """Weights do not fit the model: wrong format, missing or extra tensors, other shapes."""


class BodyError(MiliError, ValueError):
    """A body model file is unusable or is not the one that the weights regress."""


class DetectionError(MiliError, ValueError):
    """Detections are malformed: lengths, dtypes, non-finite or inverted boxes."""


class StoreError(MiliError, ValueError):
    """Stored data (pyramid, ledger, table) is incomplete, damaged or of another version."""


class DependencyError(MiliError, ImportError):
    """An optional package is needed and not installed.

    Args:
        lack: what is missing, or what needs it.
        extra: of this package, that brings it.
    """

    def __init__(self, lack: str, extra: str) -> None:
        super().__init__(f"{lack}: {install_hint(extra)}")


def install_hint(extra: str) -> str:
    """Returns how an extra is installed; by name, pip would look for it in public registries."""
    return f"pip install -c constraints.txt -e '.[{extra}]' in mili's source folder"
