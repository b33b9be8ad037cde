"""MultiRocket-Hydra: aeon's own classifier from plain numbers."""

import numpy as np
import pytest
import torch
from aeon.classification.convolution_based import MultiRocketHydraClassifier
from aeon.transformations.collection.convolution_based import HydraTransformer, MultiRocket
from safetensors.torch import load, save
from sklearn.linear_model import RidgeClassifierCV
from threadpoolctl import threadpool_limits

from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError
from fidgety.models.base import weights_of
from fidgety.models.multirocket import (
    ALPHAS,
    BATCH,
    BYTES,
    SQUARES,
    MultiRocketHydra,
    channels_first,
    count_numbers,
    fit_machine,
    fit_ridge,
    hydra_numbers,
    rocket_numbers,
)
from fidgety.models.multirocket_options import MultiRocketOptions

#: aeon has other code for a single feature, whose compilation takes 20 s once an installation.
ONE = pytest.param(1, marks=pytest.mark.slow)
SMALL = {"n_kernels": 168, "hydra_kernels": 4, "hydra_groups": 8}


def waves(n_classes=2, n=24, frames=60, n_features=3, seed=0):
    """Snippets at 30 frames a second: a sine of 1 Hz, 2 Hz, ... in noise, its phase at random."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    time = np.arange(frames) / 30
    phase = rng.uniform(0, 2 * np.pi, size=(n, 1, n_features))
    x = np.sin(2 * np.pi * (1 + y)[:, None, None] * time[:, None] + phase)
    x += 0.5 * rng.normal(size=x.shape)
    return torch.from_numpy(x.astype(np.float32)), y


def fitted(x, y, seed=1, **options):
    return fit_machine(x, y, MultiRocketOptions(**(SMALL | options)), seed).eval()


def reference_values(x, y, fresh, seed, weights):
    """Return decision values and classes of aeon's own classifier.

    aeon gives classes alone, so its parts are put together once more for the values.
    """
    wanted = MultiRocketHydraClassifier(
        class_weight="balanced" if weights else None, random_state=seed
    ).fit(x, y)
    scaled = np.concatenate(
        [
            wanted._scale_hydra.transform(wanted._transform_hydra.transform(fresh)),
            wanted._scale_multirocket.transform(wanted._transform_multirocket.transform(fresh)),
        ],
        axis=1,
    ).astype(np.float64)
    return wanted.classifier.decision_function(scaled), wanted.predict(fresh)


@pytest.mark.parametrize(
    ("n_classes", "n_features", "frames", "weights"),
    [
        (2, 3, 60, False),
        (3, 5, 90, True),
        (2, 20, 10, False),
        pytest.param(2, 1, 45, True, marks=pytest.mark.slow),
    ],
)
def test_decisions_are_aeon_s(n_classes, n_features, frames, weights):
    x, y = waves(n_classes, 25, frames, n_features)
    fresh, _ = waves(n_classes, 70, frames, n_features, seed=1)
    options = MultiRocketOptions(class_weights=weights)
    machine = fit_machine(x, y, options, 7).eval()
    values, classes = reference_values(
        channels_first(x).numpy(), y, channels_first(fresh).numpy(), 7, weights
    )
    np.testing.assert_allclose(
        machine.decision(fresh).numpy(), values.reshape(len(fresh), -1), rtol=0, atol=1e-6
    )
    logits = machine(fresh)
    np.testing.assert_array_equal(logits.argmax(dim=1).numpy(), classes)
    if n_classes == 2:
        np.testing.assert_array_equal(logits[:, 0].numpy(), 0)
        np.testing.assert_allclose(logits[:, 1].numpy(), values, rtol=0, atol=1e-6)
    else:
        assert logits.shape == (70, n_classes)
    assert machine.coefficients.shape[1] == count_numbers(options, frames)


@pytest.mark.parametrize("n_features", [ONE, 2, 40])
@pytest.mark.parametrize("groups", [2, 7, 64])
def test_numbers_are_aeon_s_to_the_bit(n_features, groups):
    x, y = waves(n_features=n_features)
    numbers = weights_of(fitted(x, y, 5, hydra_groups=groups))
    first = channels_first(x)
    hydra = HydraTransformer(n_kernels=4, n_groups=groups, random_state=5)
    assert torch.equal(hydra_numbers(first, numbers), hydra.fit_transform(first.numpy()))
    rocket = MultiRocket(n_kernels=168, random_state=5).fit_transform(first.numpy())
    np.testing.assert_array_equal(rocket_numbers(first, numbers), rocket)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("n", "width", "signal"), [(40, 300, 0.3), (40, 300, 0.0), (90, 30, 0.3)])
def test_the_ridge_classifier_is_scikit_learn_s(n_classes, weights, n, width, signal):
    rng = np.random.default_rng(n_classes)
    # Classes of different sizes.
    y = rng.integers(n_classes, size=n) // rng.integers(1, 3, size=n)
    y[:n_classes] = np.arange(n_classes)
    x = rng.normal(size=(n, width)) + signal * y[:, None]
    x[:, 0] = 2.0
    wanted = RidgeClassifierCV(alphas=ALPHAS, class_weight="balanced" if weights else None)
    wanted.fit(x, y)
    found = fit_ridge(x.copy(), y, weights)
    np.testing.assert_allclose(found["coefficients"], np.atleast_2d(wanted.coef_), atol=1e-10)
    np.testing.assert_allclose(found["intercept"], wanted.intercept_, atol=1e-10)


def test_published_sizes_are_the_defaults():
    """Tan 2022: 49,728 numbers; Dempster 2023: 8 kernels in 64 groups."""
    aeon = MultiRocketHydraClassifier()
    options = MultiRocketOptions(preset="kaur2025")
    assert options.n_kernels == MultiRocket().n_kernels
    assert (options.hydra_kernels, options.hydra_groups) == (aeon.n_kernels, aeon.n_groups)
    assert count_numbers(options, options.window_frames) == 49_728 + 6 * 2 * 2 * 32 * 8
    said = MultiRocketOptions.model_fields["max_gb"].description
    assert f"({count_numbers(options, 300):,} each" in said
    assert f"{BYTES} bytes" in said
    assert 5_900 < options.max_gb * 1e9 / BYTES / count_numbers(options, 300) < 6_000


@pytest.mark.parametrize("n_classes", [2, 3])
def test_frequencies_are_told_apart(n_classes):
    x, y = waves(n_classes, n=60, frames=90)
    fresh, truth = waves(n_classes, n=90, frames=90, seed=1)
    logits = fitted(x, y, n_kernels=840)(fresh)
    assert logits.shape == (90, n_classes)
    np.testing.assert_array_equal(logits.argmax(dim=1).numpy(), truth)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_machine_is_its_weights(n_classes):
    x, y = waves(n_classes)
    machine = fitted(x, y)
    kept = load(save(weights_of(machine)))
    options = MultiRocketOptions(window_s=2.0)
    restored = MultiRocketHydra.restore(options, 3, n_classes, kept)
    assert torch.equal(restored(x), machine(x))
    # However many snippets are looked at together.
    many = torch.cat([x] * 4)
    assert len(many) > BATCH
    torch.testing.assert_close(restored(many)[-len(x) :], machine(x))
    assert not list(restored.parameters())


def test_the_seed_decides_and_threads_do_not():
    x, y = waves(n=150)
    kept, before = {}, torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            kept[threads] = save(weights_of(fitted(x, y, 3)))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert kept[1] == kept[2]
    other = weights_of(fitted(x, y, 4))
    same = load(kept[1])
    for name in ("hydra_kernels", "series_biases", "differences_biases", "coefficients"):
        assert not torch.equal(other[name], same[name]), name


def test_the_process_s_random_numbers_go_on():
    x, y = waves()
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    wanted = np.random.random(), torch.rand(1)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    fitted(x, y)
    assert (np.random.random(), torch.rand(1)) == wanted  # noqa: NPY002


@pytest.mark.parametrize("frames", [1, 4, 9, 10, 11, 17])
@pytest.mark.parametrize("n_features", [ONE, 3])
def test_short_snippets_end_in_zeros(frames, n_features):
    x, y = waves(frames=frames, n_features=n_features)
    machine = fitted(x, y)
    kept = weights_of(machine)
    assert all(torch.isfinite(values).all() for values in kept.values())
    assert torch.isfinite(machine(x)).all()
    options = MultiRocketOptions(window_s=frames, rate_hz=1.0)
    assert torch.equal(MultiRocketHydra.restore(options, n_features, 2, kept)(x), machine(x))


def test_features_that_never_move_do_no_harm():
    x, y = waves(n_features=4)
    x[:, :, 1], x[:, :, 2], x[0] = 0.0, 3.0, 1.0
    machine = fitted(x, y)
    assert all(torch.isfinite(values).all() for values in weights_of(machine).values())
    x[:, :, 1] = 1e4  # unlike anything in training
    assert torch.isfinite(machine(x)).all()
    still = fitted(torch.zeros(24, 60, 4), y)
    assert torch.isfinite(still(x)).all()
    torch.testing.assert_close(still(torch.zeros(2, 60, 4)), torch.zeros(2, 2).double())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("series_channels", 3),
        ("series_channels", -1),
        ("series_channel_counts", 50),
        ("series_dilations", 8),
        ("differences_dilations", 0),
        ("differences_bias_counts", 9),
        ("snippet", 3),
    ],
)
def test_weights_that_lead_astray_are_refused(name, value):
    """aeon's compiled code looks at no bounds."""
    kept = weights_of(fitted(*waves()))
    kept[name] = kept[name].clone()
    kept[name][0] = value
    with pytest.raises(ValueError, match="another network"):
        MultiRocketHydra.restore(MultiRocketOptions(window_s=2.0), 3, 2, kept)


def snippets():
    rng = np.random.default_rng(4)
    series = [
        Series(str(k), str(k), "", (rng.normal(size=(90, 6)) * (1 + k)).astype("f4"),
               tuple("abcdef"), 0.0, 30.0)
        for k in range(2)
    ]  # fmt: skip
    windows = cut_windows(series, 30, 5)
    return InstanceData(series, windows, windows.series.astype(np.int64))


def test_snippets_beyond_the_memory_are_refused():
    data = snippets()
    draws = [Draw(k) for k in range(len(data))]
    options = MultiRocketOptions(window_s=1.0, **SMALL)
    needed = (26 * count_numbers(options, 30) * BYTES + SQUARES * 8 * 26**2) / 1e9
    MultiRocketHydra.fit(options.model_copy(update={"max_gb": needed * 1.01}), data, draws, 2, 0)
    with pytest.raises(ConfigError, match=r"26 training snippets .*fewer n_kernels, or raise max"):
        MultiRocketHydra.fit(
            options.model_copy(update={"max_gb": needed / 1.01}), data, draws, 2, 0
        )


def test_one_class_alone_is_refused():
    data = snippets()
    with pytest.raises(ConfigError, match="snippets of 1 classes alone"):
        MultiRocketHydra.fit(MultiRocketOptions(**SMALL), data, [Draw(0), Draw(1)], 2, 0)
