"""The models of Kaur 2025: sizes as published, and each against a second implementation."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from fidgety.config.learning import TrainingConfig
from fidgety.config.root import parse_config
from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError
from fidgety.models.base import count_parameters, parse_model_options
from fidgety.models.kaur import Cnn1d
from fidgety.models.kaur_lstm import Lstm, lstm_layer
from fidgety.models.kaur_svm import Svm, fit_machine, flattened
from fidgety.models.kaur_svm_options import SvmOptions
from fidgety.models.kaur_vit import Vit, sinusoidal_code
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.plan_check import check_methods

KAUR = ("cnn1d", "lstm", "vit", "svm")
#: Values a frame: 24 landmarks in two dimensions, 12 angles, both.
SETS = {"coordinates": 48, "angles": 12, "both": 60}


def network_of(system, n_features=60, n_classes=2, **options):
    torch.manual_seed(0)
    checked = parse_model_options(system, {"preset": "kaur2025", **options})
    return system.build(checked, n_features, n_classes).eval()


def shapes_of(network, n_features=60, frames=300):
    """Return the shape of what every layer with weights gives for one snippet."""
    found = []

    def note(module, inputs, output):
        given = output[0] if isinstance(output, tuple) else output
        found.append((type(module).__name__, *given.shape[1:]))

    wanted = (torch.nn.Conv1d, torch.nn.LSTM, torch.nn.Linear, torch.nn.TransformerEncoderLayer)
    handles = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, wanted)]
    with torch.no_grad():
        network.train()(torch.randn(1, frames, n_features))
    for handle in handles:
        handle.remove()
    return found


# ---- sizes ----


@pytest.mark.parametrize("n", SETS.values())
@pytest.mark.parametrize(("filters", "dense"), [((32, 64), 32), ((32, 64, 128), 64)])
def test_layers_of_the_cnn(n, filters, dense):
    """Section 3.3: filters (32, 64) and 32 dense, or (32, 64, 128) and 64 dense; one output."""
    network = network_of(Cnn1d, n, filters=filters, dense=dense)
    convolutions = [("Conv1d", f, 300 // 2**k) for k, f in enumerate(filters)]
    assert shapes_of(network, n) == [*convolutions, ("Linear", dense), ("Linear", 1)]
    widths = (n, *filters)
    kernels = sum((5 * a + 1) * b for a, b in zip(widths[:-1], filters, strict=True))
    assert count_parameters(network) == kernels + (filters[-1] + 1) * dense + dense + 1
    flat = network_of(Cnn1d, n, filters=filters, dense=dense, head="flatten")
    places = 300 // 2 ** len(filters)
    assert count_parameters(flat) == kernels + (filters[-1] * places + 1) * dense + dense + 1


@pytest.mark.parametrize("n", SETS.values())
@pytest.mark.parametrize("units", [(64, 32), (128, 64, 32)])
def test_layers_of_the_lstm(n, units):
    """Section 3.3: (64, 32) or (128, 64, 32), one output; parameters as Keras counts them."""
    network = network_of(Lstm, n, units=units)
    assert shapes_of(network, n) == [*(("LSTM", 300, u) for u in units), ("Linear", 1)]
    widths = (n, *units)
    layers = sum(4 * h * (d + h + 1) for d, h in zip(widths[:-1], units, strict=True))
    assert count_parameters(network) == layers + units[-1] + 1


@pytest.mark.parametrize("n", SETS.values())
@pytest.mark.parametrize("depth", [2, 4])
def test_layers_of_the_transformer(n, depth):
    """Section 3.3: 8 heads, 2 or 4 encoders, a dense layer of 128, one output."""
    network = network_of(Vit, n, encoder_layers=depth)
    encoders = [s for s in shapes_of(network, n) if s[0] == "TransformerEncoderLayer"]
    assert encoders == [("TransformerEncoderLayer", 301, 64)] * depth
    assert {e.self_attn.num_heads for e in network.encoders} == {8}
    assert shapes_of(network, n)[-2:] == [("Linear", 128), ("Linear", 1)]
    encoder = 4 * 64 * (64 + 1) + (64 + 1) * 256 + (256 + 1) * 64 + 4 * 64
    input_layer = (n + 1) * 64 + 64 + 301 * 64
    output = 2 * 64 + (64 + 1) * 128 + 128 + 1
    assert count_parameters(network) == input_layer + depth * encoder + output


def test_more_classes_have_an_output_each():
    for system in (Cnn1d, Lstm, Vit):
        network = network_of(system, 12, 3)
        assert network.output.out_features == 3
        assert network(torch.zeros(2, 300, 12)).shape == (2, 3)


@pytest.mark.parametrize("system", [Cnn1d, Lstm, Vit])
def test_two_classes_are_one_sigmoid(system):
    network = network_of(system, 12)
    x = torch.randn(3, 300, 12)
    z = network.output(network.embed(x))
    torch.testing.assert_close(network(x).softmax(dim=1)[:, 1:], z.sigmoid())


# ---- the networks against plain transcriptions ----


def test_an_lstm_layer_is_the_textbook_s():
    torch.manual_seed(1)
    layer = lstm_layer(5, 3).double()
    x = torch.randn(2, 7, 5, dtype=torch.float64)
    state = cell = torch.zeros(2, 3, dtype=torch.float64)
    for frame in x.unbind(1):
        gates = frame @ layer.weight_ih_l0.T + state @ layer.weight_hh_l0.T + layer.bias_ih_l0
        into, forget, new, out = gates.chunk(4, dim=1)
        cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
        state = out.sigmoid() * cell.tanh()
    torch.testing.assert_close(layer(x)[0][:, -1], state)
    assert layer.bias_ih_l0.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6
    recurrent = layer.weight_hh_l0.detach()
    torch.testing.assert_close(recurrent.T @ recurrent, torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("position", ["learned", "sinusoidal"])
def test_the_transformer_knows_the_order_of_frames(position):
    network = network_of(Vit, 12, position=position)
    x = torch.randn(1, 300, 12)
    with torch.no_grad():
        forward, backward = network(x), network(x.flip(1))
        assert not torch.allclose(forward, backward, atol=1e-4)
        # Without the code of places, a snippet is a set of frames.
        network.code.zero_()
        torch.testing.assert_close(network(x), network(x.flip(1)), rtol=1e-4, atol=1e-4)


def test_places_have_codes_of_their_own():
    code = sinusoidal_code(301, 64)
    np.testing.assert_allclose(code[3, :2], [np.sin(3), np.cos(3)], rtol=1e-6)
    distance = torch.cdist(code, code) + 10 * torch.eye(301)
    assert distance.min() > 0.1


# ---- options ----


@pytest.mark.parametrize("kind", KAUR)
def test_the_preset_is_the_paper_s(kind):
    system = MODEL_SYSTEMS.get(kind)
    options = parse_model_options(system, {"preset": "kaur2025"})
    spec = system.inputs(options)
    assert spec.feature_sets == ("landmarks_2d", "angles_2d")
    assert (spec.window_frames, spec.step_frames(True), spec.rate_hz) == (300, 150, 30.0)
    assert not spec.centre
    assert not options.class_weights
    assert TrainingConfig().augment_flip
    if kind != "svm":
        plan = system.training(options)
        assert (plan.epochs, plan.patience, plan.batch_size) == (250, 10, 16)
        assert (plan.optimiser.kind, plan.optimiser.schedule) == ("adam", "constant")
        assert not plan.class_weights
        assert options.dropout == 0.3
    mine = parse_model_options(system, {"preset": "kaur2025", "centre": True})
    assert mine.centre
    assert parse_model_options(system, mine.model_dump(mode="json")) == mine
    assert system.inputs(system.options()).centre


@pytest.mark.parametrize("overlap", [299, 290, 270, 250, 200, 150, 100])
def test_overlaps_are_the_paper_s(overlap):
    options = parse_model_options(Svm, {"overlap_frames": overlap})
    assert Svm.inputs(options).step_frames(True) == 300 - overlap
    with pytest.raises(ConfigError, match="less than the 300 frames"):
        parse_model_options(Svm, {"overlap_frames": 300})


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match="multiple of heads"):
        parse_model_options(Vit, {"width": 60})
    with pytest.raises(ConfigError, match="too short"):
        parse_model_options(Cnn1d, {"window_s": 0.1})


def test_the_documentation_holds():
    text = (Path(__file__).parents[2] / "docs" / "kaur2025.md").read_text()
    config = parse_config(yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0]))
    assert check_methods(config) == []
    assert {m.kind for m in config.models.values()} == {"cnn1d", "svm"}
    for kind in ("cnn1d", "lstm", "vit"):  # the figures in the text
        assert f"{count_parameters(network_of(MODEL_SYSTEMS.get(kind))):,}" in text


# ---- support vector machines ----


def data_of(n_classes, seed, n=40, width=30):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)])
    x = (rng.normal(size=(n, width)) + 0.3 * y[:, None]).astype(np.float32)
    return x.astype(np.float64), y.astype(np.int64)


def reference_of(options, x, y):
    """Return scikit-learn's own machine, fitted with its own words."""
    return SVC(
        C=options.penalty,
        kernel={"rbf": "rbf", "cubic": "poly"}[options.kernel],
        degree=3,
        gamma=options.gamma,
        coef0=options.coef0,
        class_weight="balanced" if options.class_weights else None,
        decision_function_shape="ovr",
        break_ties=True,
    ).fit(x, y)


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from(["rbf", "cubic"]),
    n_classes=st.integers(2, 4),
    seed=st.integers(0, 2**31),
    penalty=st.floats(0.1, 10),
    gamma=st.one_of(st.just("scale"), st.floats(1e-3, 0.1)),
    coef0=st.floats(0, 1),
    weights=st.booleans(),
)
def test_the_machine_is_scikit_learn_s(kernel, n_classes, seed, penalty, gamma, coef0, weights):
    options = SvmOptions(
        kernel=kernel, penalty=penalty, gamma=gamma, coef0=coef0, class_weights=weights
    )
    x, y = data_of(n_classes, seed)
    fresh, _ = data_of(n_classes, seed + 1)
    machine, wanted = fit_machine(x, y, n_classes, options), reference_of(options, x, y)
    for values in (x, fresh):
        logits = machine(torch.from_numpy(values)[:, None]).numpy()
        expected = wanted.decision_function(values)
        if n_classes == 2:
            np.testing.assert_array_equal(logits[:, 0], 0)
            logits_of = logits[:, 1]
        else:
            logits_of = logits
        scale = np.abs(expected).max() + np.abs(wanted.dual_coef_).sum()
        np.testing.assert_allclose(logits_of, expected, rtol=0, atol=1e-12 * scale)
        np.testing.assert_array_equal(logits.argmax(axis=1), wanted.predict(values))


def snippets(n_frames=90, n_features=6, length=30, step=5):
    rng = np.random.default_rng(4)
    series = [
        Series(
            str(k), str(k), "", (rng.normal(size=(n_frames, n_features)) * (1 + k)).astype("f4"),
            tuple("abcdef"), 0.0, 30.0,
        )
        for k in range(2)
    ]  # fmt: skip
    windows = cut_windows(series, length, step)
    return InstanceData(series, windows, windows.series.astype(np.int64))


def test_snippets_are_flattened_frame_by_frame():
    data = snippets()
    draws = [Draw(k) for k in range(len(data))]
    x, y = flattened(data, draws, 1.0)
    assert x.shape == (26, 30 * 6)
    np.testing.assert_array_equal(x[3].reshape(30, 6), data.series[0].values[15:45])
    np.testing.assert_array_equal(y, data.targets)
    machine = Svm.fit(SvmOptions(window_s=1.0), data, draws, 2, 0)
    own = torch.stack([data[d][0] for d in draws])
    wanted = reference_of(SvmOptions(), x, y).decision_function(x)
    np.testing.assert_allclose(machine(own)[:, 1], wanted, atol=1e-10)


def test_snippets_beyond_the_memory_are_refused():
    data = snippets()
    with pytest.raises(ConfigError, match=r"overlap less .*raise max_gb"):
        flattened(data, [Draw(0)] * 26, 26 * 180 * 8 / 1e9 * 0.99)
