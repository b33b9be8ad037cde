"""Files of weights that a user brings: read without executing anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from fidgety.errors import ConfigError


def read_weight_file(path: Path, *, checkpoint: bool = False) -> dict[str, torch.Tensor]:
    """Read weights by name, from a ``.safetensors`` file or PyTorch's.

    Parameters
    ----------
    path
        The file.
    checkpoint
        Whether it may be a training's checkpoint, of which the ``state_dict`` is taken.

    Raises
    ------
    ConfigError
        If it cannot be read, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, SafetensorError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: cannot be read as weights: {line}") from None
    except Exception as error:  # pickle.UnpicklingError and what it wraps
        raise ConfigError(f"{path}: cannot be read as weights: {type(error).__name__}") from None
    if checkpoint and isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise ConfigError(f"{path}: holds something else than weights by name.")
    return {str(name): value for name, value in found.items()}
