"""What every model of the registry keeps to."""

import json

import pytest
import torch
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.base import parse_model_options
from fidgety.models.registry import MODEL_SYSTEMS

FEATURES = {"coordinates_2d": 42, "angles_2d": 12, "coordinates_3d": 51}


def make(kind, n_classes=2, **options):
    system = MODEL_SYSTEMS.get(kind)
    checked = parse_model_options(system, options)
    spec = system.inputs(checked)
    torch.manual_seed(0)
    n_features = sum(FEATURES[name] for name in spec.feature_sets)
    return system, spec, system.build(checked, n_features, n_classes), n_features


def run(system, network, x):
    """Return instance logits, and log-probabilities of one bag of all instances."""
    if system.objective == "instance":
        return network(x), None
    index = torch.arange(len(x))
    out = network(x, index, torch.zeros_like(index), torch.zeros_like(index), n_bags=1)
    return out.instance_logits, out


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapes_gradients_and_repeatability(kind, n_classes):
    system, spec, network, n_features = make(kind, n_classes)
    assert system.name == kind
    x = torch.randn(2, spec.window_frames, n_features)
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
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    network.eval()
    with torch.inference_mode():
        first, second = run(system, network, x)[0], run(system, network, x)[0]
        assert torch.equal(first, second)
        # An instance's logits are its own: they do not depend on who else is in the batch.
        torch.testing.assert_close(run(system, network, x[:1])[0], first[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
def test_options_survive_json_and_misspelling_is_named(kind):
    system = MODEL_SYSTEMS.get(kind)
    options = system.options()
    text = json.loads(json.dumps(options.model_dump(mode="json")))
    assert parse_model_options(system, text) == options
    with pytest.raises(ConfigError, match="Did you mean 'learning_rate'"):
        parse_model_options(system, {"learning_rat": 1.0})
    with pytest.raises(ConfigError, match=r"models\.x\.epochs"):
        parse_model_options(system, {"epochs": 0}, "models.x")


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
def test_features_that_do_not_fit_are_an_error(kind):
    system = MODEL_SYSTEMS.get(kind)
    with pytest.raises(ConfigError):
        system.build(system.options(), 0, 2)
    with pytest.raises(ConfigError):
        system.build(system.options(), 51, 1)


def test_an_unknown_model_is_named():
    with pytest.raises(ConfigError, match="Did you mean 'cnn1d'"):
        MODEL_SYSTEMS.get("cnn1")


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_size_of_the_published_cnn():
    """Counted by hand: convolutions, dense 128-64, one sigmoid output."""
    _, _, network, n = make("cnn1d")
    convolutions = (n * 5 + 1) * 32 + (32 * 5 + 1) * 64 + (64 * 5 + 1) * 128
    assert parameters(network) == convolutions + 129 * 64 + 65
    _, _, flat, _ = make("cnn1d", head="flatten")
    assert parameters(flat) == convolutions + (300 // 8 * 128 + 1) * 64 + 65
    _, _, three, _ = make("cnn1d", 3)
    assert parameters(three) == convolutions + 129 * 64 + 65 * 3


def test_two_classes_are_one_sigmoid():
    _, _, network, n = make("cnn1d")
    network.eval()
    x = torch.randn(3, 300, n)
    z = network.output(network.embed(x))
    torch.testing.assert_close(network(x).softmax(dim=1)[:, 1:], z.sigmoid())
