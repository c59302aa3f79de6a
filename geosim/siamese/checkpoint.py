"""Checkpoints of a training: written whole or not at all, checked when read."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from geosim.errors import OptionError
from geosim.siamese.backend import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_checkpoint(
    path: Path, content: Mapping[str, Any], key: Mapping[str, Any]
) -> None:
    """Write a checkpoint.

    Args:
        path: the file; an existing one is replaced at once.
        content: plain values and tensors.
        key: what must be the same for another run to go on from it.
    """
    partial = path.with_name(path.name + ".part")
    try:
        torch.save({"key": dict(key), **content}, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_checkpoint(path: Path, key: Mapping[str, Any]) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        OptionError: it cannot be read, or belongs to another training.
    """
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise OptionError(
            f"--resume cannot read '{path}' ({str(error).splitlines()[0]}); leave "
            "--resume out and give --overwrite to begin anew"
        ) from error
    found = content.get("key", {})
    other = [name for name, value in key.items() if found.get(name) != value]
    if other:
        raise OptionError(
            f"'{path}' belongs to a training with other {', '.join(other)}; give the "
            "same as then, or leave --resume out and give --overwrite to begin anew"
        )
    return content
