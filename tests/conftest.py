"""Shapes and dtypes in the annotations of the networks are checked while the tests run."""

from jaxtyping import install_import_hook

install_import_hook(["mili_core.nets", "mili_core.losses", "mili_core.training"], "beartype.beartype")
