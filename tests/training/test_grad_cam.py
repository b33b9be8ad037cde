"""What networks of pictures look at."""

import numpy as np
import pytest
import torch

from fidgety.errors import Outcome
from fidgety.models.two_stream import TwoStreamSystem
from fidgety.models.two_stream_options import TwoStreamOptions
from fidgety.storage import Provenance, read_dataset, write_dataset
from fidgety.training.grad_cam import grad_cam
from fidgety.training.looks import LOOK_SCHEMA, Look, from_dataset, to_dataset
from fidgety.training.results import ModelPrediction, best_apart


def make(streams):
    torch.manual_seed(2)
    options = TwoStreamOptions(backbone="resnet18", streams=streams)
    return TwoStreamSystem.build(options, 0, 3).eval()


def by_hand(network, clip, stream, target):
    """Grad-CAM by its formula: gradients averaged over the map weigh its channels."""
    kept = {}
    layer = getattr(network, stream).encoder.stages[-1]
    handle = layer.register_forward_hook(lambda _, __, out: kept.update(map=out))
    logits = network(clip[None])
    handle.remove()
    (gradient,) = torch.autograd.grad(logits[0, target], kept["map"])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    coarse = torch.relu((weights * kept["map"]).sum(dim=1, keepdim=True))
    whole = torch.nn.functional.interpolate(
        coarse, size=clip.shape[1:], mode="bilinear", align_corners=False
    )[0, 0]
    return (whole / whole.max()).detach().numpy() if whole.max() > 0 else 0 * whole.detach().numpy()


@pytest.mark.parametrize("streams", ["fusion", "spatial", "temporal", "sum"])
def test_maps_are_those_of_the_formula(streams):
    network = make(streams)
    clip = torch.rand(15, 96, 96)
    wanted = {"fusion": ["spatial", "temporal"], "sum": ["spatial", "temporal"]}
    for target in range(3):
        maps = grad_cam(network, clip, target)
        assert sorted(maps) == wanted.get(streams, [streams])
        for name, values in maps.items():
            assert values.shape == (96, 96)
            np.testing.assert_allclose(values, by_hand(network, clip, name, target), atol=1e-4)


def test_what_was_looked_at_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    maps = {"spatial": rng.random((8, 8)).astype(np.float32)}
    both = maps | {"temporal": rng.random((8, 8)).astype(np.float32)}
    looks = [
        Look("a", "r-1", 5.0, 6.0, "PR", 0.75, maps),
        Look("b", "r-2", 0.0, 1.0, "WMs", 0.5, both),
    ]
    for some in (looks, []):
        path = tmp_path / f"{len(some)}.h5"
        write_dataset(path, to_dataset(some), schema=LOOK_SCHEMA, provenance=Provenance("x"))
        again = from_dataset(read_dataset(path, schema=LOOK_SCHEMA))
        assert len(again) == len(some)
        for one, other in zip(again, some, strict=True):
            assert vars(one) | {"maps": 0} == vars(other) | {"maps": 0}
            assert sorted(one.maps) == sorted(other.maps)
            for name, values in one.maps.items():
                np.testing.assert_array_equal(values, other.maps[name])


def test_instances_that_are_shown_do_not_overlap():
    start = np.array([0.0, 1.0, 2.0, 0.5])
    said = ModelPrediction(
        Outcome(), "x", ("a", "b"), (False, True), start_s=start, stop_s=start + 1.5,
        recording=("r", "r", "r", "s"),
    )  # fmt: skip
    score = np.array([0.6, 0.9, 0.8, 0.7])
    assert best_apart(said, score, 4) == [1, 3]
    assert best_apart(said, score, 1) == [1]
    assert best_apart(said, score, 4, [True, False, True, True]) == [2, 3, 0]
