"""RAFT is a network of the user's: its pictures, its sizes, and files that are no such network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fidgety.errors import ConfigError
from fidgety.pixels.flow import flow_method
from fidgety.pixels.raft import Raft
from tests.onnx_file import write_flow_network, write_saliency_network


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two plain pictures whose difference is (6, -4) in red and green."""
    first = np.full((height, width, 3), 100, dtype=np.uint8)
    return first, first + np.array([6, 252, 9], dtype=np.uint8)


@pytest.mark.parametrize("size", [(48, 96), ("h", "w")])
def test_flow_is_brought_to_the_pictures_size_and_back(tmp_path: Path, size) -> None:
    weights = write_flow_network(tmp_path / "raft.onnx", *size)
    method = flow_method("raft", str(weights))
    first, second = (method.prepare(p) for p in pictures(24, 32))
    flow = method.between(first, second)
    assert flow.shape == (24, 32, 2)
    assert flow.dtype == np.float32
    # A network of another size sees a picture that is twice as high and three times as wide.
    wanted = (6 / 3, -4 / 2) if size == (48, 96) else (6, -4)
    np.testing.assert_allclose(flow, np.broadcast_to(wanted, flow.shape), atol=1e-5)


def test_a_size_that_raft_cannot_halve_is_rounded_up(tmp_path: Path) -> None:
    network = Raft(write_flow_network(tmp_path / "raft.onnx", "h", "w"))
    flow = network.between(*pictures(20, 24))  # 24 rows for the network
    np.testing.assert_allclose(flow[..., 1], -4 * 20 / 24, atol=1e-5)
    np.testing.assert_allclose(flow[..., 0], 6, atol=1e-5)


def test_files_that_are_no_such_network_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file .*OpenCV Zoo"):
        Raft(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ConfigError, match="cannot be opened as a network"):
        Raft(tmp_path / "text.onnx")
    with pytest.raises(ConfigError, match="expected two pictures"):
        Raft(write_saliency_network(tmp_path / "u2net.onnx"))
