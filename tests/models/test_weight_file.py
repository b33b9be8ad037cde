"""Weights that a user brings are read without running what is in them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fidgety.errors import ConfigError
from fidgety.models.weight_file import read_weight_file


class Hostile:
    """Makes a folder when it is unpickled as pickle is wont to."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.mkdir, (self.marker,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.ckpt"])
def test_a_hostile_checkpoint_is_refused_and_nothing_ran(
    name: str, zipped: bool, tmp_path: Path
) -> None:
    path, marker = tmp_path / name, tmp_path / "ran"
    content = {"state_dict": {"a": torch.zeros(2)}, "meta": Hostile(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_weight_file(path, checkpoint=True)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_hostile_pickle_is_refused_and_nothing_ran(name: str, tmp_path: Path) -> None:
    path, marker = tmp_path / name, tmp_path / "ran"
    path.write_bytes(pickle.dumps(Hostile(marker)))
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_weight_file(path)
    assert not marker.exists()


def test_the_marker_would_be_made(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()
