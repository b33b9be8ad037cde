"""What every model of the registry keeps to."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from fidgety.datasets.instances import BagBatch, Draw, InstanceData
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError
from fidgety.models.base import (
    EstimatorSystem,
    NetworkSystem,
    call_bags,
    judge_prefixes,
    parse_model_options,
    set_weights,
    weights_of,
)
from fidgety.models.eml_histograms import GIVEN
from fidgety.models.registry import FIND_FIDGETY, MODEL_SYSTEMS, READ_PIXELS

NETWORKS = [n for n in MODEL_SYSTEMS.names() if issubclass(MODEL_SYSTEMS.get(n), NetworkSystem)]
ESTIMATORS = [n for n in MODEL_SYSTEMS.names() if issubclass(MODEL_SYSTEMS.get(n), EstimatorSystem)]
BAGS = [n for n in NETWORKS if MODEL_SYSTEMS.get(n).objective == "bag"]
FEATURES = {"coordinates_2d": 42, "angles_2d": 12, "coordinates_3d": 51}
#: Options under which a test takes seconds.
SMALL = {"two_stream": {"backbone": "resnet18"}}


def make(kind, n_classes=2, **options):
    system = MODEL_SYSTEMS.get(kind)
    checked = parse_model_options(system, SMALL.get(kind, {}) | options)
    spec = system.inputs(checked)
    torch.manual_seed(0)
    n_features = sum(FEATURES[name] for name in spec.feature_sets)
    return system, spec, system.build(checked, n_features, n_classes), n_features


def instances_of(spec, n_features, n=2):
    """Return instances as the model reads them: series of features, or clips of pictures."""
    if spec.pixels:
        return torch.rand(n, 3 + 2 * spec.window_frames, 64, 64)
    return torch.randn(n, spec.window_frames, n_features)


def run(system, network, x):
    """Return instance logits, and log-probabilities of one bag of all instances."""
    if system.objective == "instance":
        return network(x), None
    index = torch.arange(len(x))
    info = {"info": torch.ones(1, 4)} if system.reads_info(system.options()) else {}
    out = network(x, index, torch.zeros_like(index), torch.zeros_like(index), n_bags=1, **info)
    return out.instance_logits, out


def test_every_model_learns_in_one_of_the_two_ways():
    assert sorted(NETWORKS + ESTIMATORS) == sorted(MODEL_SYSTEMS.names())


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapes_gradients_and_repeatability(kind, n_classes):
    system, spec, network, n_features = make(kind, n_classes)
    assert system.name == kind
    x = instances_of(spec, n_features)
    logits, bag = run(system, network, x)
    assert logits.shape == (2, n_classes)
    loss = logits.logsumexp(dim=1).sum() - logits[:, 0].sum()
    if bag is not None:
        assert bag.bag_log_probability.shape == (1, n_classes)
        torch.testing.assert_close(bag.bag_log_probability.exp().sum(), torch.tensor(1.0))
        torch.testing.assert_close(bag.attention.sum(), torch.tensor(1.0))
        loss = loss - bag.bag_log_probability[0, 0]
    loss.backward()
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    network.eval()
    with torch.inference_mode():
        first, second = run(system, network, x)[0], run(system, network, x)[0]
        assert torch.equal(first, second)
        # An instance's logits are its own: they do not depend on who else is in the batch.
        torch.testing.assert_close(run(system, network, x[:1])[0], first[:1], rtol=1e-4, atol=1e-5)


def instances(n_classes, names, frames, seed=0):
    """Overlapping snippets of random series; size and mean of the last feature tell the class."""
    rng = np.random.default_rng(seed)
    series = []
    for k in range(4 * n_classes):
        values = rng.normal(size=(4 * frames, len(names)))
        if frames > 6:
            # A body that lies still: its trunk stands out of the noise.
            values[:, names.index("left_hip_y")] += 9
            values[:, names.index("right_hip_y")] += 9
            values[:, -1] *= 1 + 9 * (k % n_classes)
        values = (values + 0.4 * (k % n_classes)).astype("f4")
        flipped = values[:, ::-1].copy() if frames <= 6 else values
        series.append(
            Series(str(k), str(k), "", values, names, 0.0, 1.0, flipped, units=("trunk",))
        )
    windows = cut_windows(series, frames, 3)
    return InstanceData(series, windows, (windows.series % n_classes).astype(np.int64))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_estimators_learn_come_back_and_repeat(kind, n_classes):
    system = MODEL_SYSTEMS.get(kind)
    assert system.name == kind
    names, frames = tuple(f"f{i}" for i in range(5)), 6
    if kind == "eml":
        names, frames = tuple(f"{joint}_{axis}" for joint in GIVEN for axis in "xy"), 12
    options = parse_model_options(system, {"window_s": float(frames), "rate_hz": 1.0})
    data = instances(n_classes, names, frames)
    draws = [Draw(k, mirrored) for mirrored in (False, True) for k in range(len(data))]
    network = system.fit(options, data, draws, n_classes, 3).eval()
    x = torch.stack([data[Draw(k)][0] for k in range(len(data))])
    with torch.inference_mode():
        logits, bag = run(system, network, x)
        assert logits.shape == (len(x), n_classes)
        assert torch.equal(logits, run(system, network, x)[0])
        torch.testing.assert_close(run(system, network, x[:1])[0], logits[:1])
        if bag is not None:
            torch.testing.assert_close(bag.bag_log_probability.exp().sum().item(), 1.0)
            torch.testing.assert_close(bag.attention.sum().item(), 1.0)
        judged, wanted = logits, data.targets
        if bag is not None:
            # It judges infants: the 4 of each class.
            index = torch.arange(len(x))
            owner = torch.from_numpy(data.windows.series)
            n = len(data.series)
            one = BagBatch(x, index, torch.zeros_like(index), torch.zeros_like(index), index[:1])
            prefixes = judge_prefixes(network, one, bag)
            for k in (0, 3, len(x) - 1):
                alone = run(system, network, x[: k + 1])[1].bag_log_probability[0]
                torch.testing.assert_close(prefixes[k], alone)
            judged = network(x, index, torch.zeros_like(index), owner, n).bag_log_probability
            wanted = np.arange(n) % n_classes
    assert (judged.argmax(dim=1).numpy() == wanted).mean() > 0.9
    kept = weights_of(network)
    again = weights_of(system.fit(options, data, draws, n_classes, 3))
    assert all(torch.equal(kept[name], again[name]) for name in kept.keys() | again.keys())
    restored = system.restore(options, len(names), n_classes, load(save(kept))).eval()
    with torch.inference_mode():
        assert torch.equal(run(system, restored, x)[0], logits)
    with pytest.raises(ValueError, match="another network"):
        system.restore(options, len(names) - 1, n_classes, kept)
    with pytest.raises(ConfigError, match="cannot tell"):
        system.restore(options, 0, n_classes, kept)


@pytest.mark.parametrize("kind", BAGS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_bag_that_ends_early_is_judged_as_if_it_had_no_more(kind, n_classes):
    """Every prefix is that of the network on the first instances alone."""
    system, spec, network, n_features = make(kind, n_classes)
    network.eval()
    length = spec.window_frames
    # Two recordings; in the first, two windows follow one another, and one begins behind a gap.
    starts = torch.tensor([0, 1, 3, 0, 1, 2]) * length
    segment = torch.tensor([0, 0, 0, 1, 1, 1])
    x = torch.randn(2, 4 * length, n_features)
    info = torch.randn(1, 4) if system.reads_info(system.options()) else None

    def batch_of(n):
        return BagBatch(
            x, segment[:n], starts[:n], torch.zeros(n, dtype=torch.long), torch.zeros(1), info
        )

    with torch.inference_mode():
        whole = batch_of(len(starts))
        found = judge_prefixes(network, whole, call_bags(network, whole, 1))
        assert found.shape == (len(starts), n_classes)
        for k in range(len(starts)):
            alone = call_bags(network, batch_of(k + 1), 1).bag_log_probability[0]
            torch.testing.assert_close(found[k], alone, rtol=1e-4, atol=1e-5)
    assert found.std(dim=0).min() > 0, "prefixes that say the same test nothing"


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
def test_options_survive_json_and_misspelling_is_named(kind):
    system = MODEL_SYSTEMS.get(kind)
    options = system.options()
    text = json.loads(json.dumps(options.model_dump(mode="json")))
    assert parse_model_options(system, text) == options
    with pytest.raises(ConfigError, match="Did you mean 'window_s'"):
        parse_model_options(system, {"windows_s": 1.0})
    with pytest.raises(ConfigError, match=r"models\.x\.rate_hz"):
        parse_model_options(system, {"rate_hz": 0}, "models.x")


@pytest.mark.parametrize("kind", NETWORKS)
def test_features_that_do_not_fit_are_an_error(kind):
    system = MODEL_SYSTEMS.get(kind)
    wrong, right = (51, 0) if kind in READ_PIXELS else (0, 51)
    with pytest.raises(ConfigError):
        system.build(system.options(), wrong, 2)
    with pytest.raises(ConfigError):
        system.build(system.options(), right, 1)


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_come_back_from_their_weights(kind):
    system, spec, network, n = make(kind)
    kept = load(save(weights_of(network)))
    torch.manual_seed(7)
    options = parse_model_options(system, SMALL.get(kind, {}))
    restored = system.restore(options, n, 2, kept).eval()
    x = instances_of(spec, n)
    with torch.inference_mode():
        assert torch.equal(run(system, restored, x)[0], run(system, network.eval(), x)[0])
    with pytest.raises(ValueError, match="another network"):
        set_weights(network, dict(list(kept.items())[1:]))


def test_an_unknown_model_is_named():
    with pytest.raises(ConfigError, match="Did you mean 'cnn1d'"):
        MODEL_SYSTEMS.get("cnn1")


def test_the_registry_knows_who_finds_fidgety_movements() -> None:
    finding = {n for n in MODEL_SYSTEMS.names() if MODEL_SYSTEMS.get(n).detects_fidgety}
    assert finding == FIND_FIDGETY


def test_the_registry_knows_who_looks_at_pictures() -> None:
    systems = {n: MODEL_SYSTEMS.get(n) for n in MODEL_SYSTEMS.names()}
    assert {n for n, s in systems.items() if s.inputs(s.options()).pixels} == READ_PIXELS
