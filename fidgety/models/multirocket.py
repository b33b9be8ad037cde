"""A strong baseline: random convolutions with a ridge classifier, MultiRocket-Hydra of aeon.

Thousands of random kernels are laid over a snippet and over its differences from frame to frame.
MultiRocket (Tan et al. 2022) counts for each where, how often, how long and how far it is above a
bias; Hydra (Dempster et al. 2023) lets groups of kernels compete and counts who wins. A ridge
classifier, its penalty chosen by leaving one snippet out, weighs these numbers. In comparisons
over many data sets this is about as good as the best, in seconds.

aeon draws the kernels; kernels, biases, scales and weights are stored as plain numbers. Decision
values are those of aeon's ``MultiRocketHydraClassifier`` with the same
seed. MultiRocket's numbers are computed by aeon's compiled code in prediction, too: a kernel above
its bias or not is a matter of the last digit, which another implementation would round otherwise.
Numba compiles that code once an installation (half a minute, at the first fit or prediction) and
keeps it beside aeon, or in the user's cache where that folder cannot be written.

A decision value d becomes the logits (0, d), as for the support vector machine; with more than
two classes, each class's decision value is its logit. This is no probability: a ridge classifier
fits -1 and 1 by least squares, aeon itself gives classes alone, and the softmax of its values stays
near the middle (between 0.27 and 0.73 for values between -1 and 1). Nothing calibrates it;
thresholds are chosen on validation infants as for every model. The penalty leaves out a snippet,
not an infant: neighbouring snippets overlap, so it is rather low.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import InputSpec
from fidgety.errors import RefusedError
from fidgety.models.base import EstimatorSystem
from fidgety.models.multirocket_options import MultiRocketOptions
from fidgety.models.snippets import require_sizes, snippet_inputs

#: Snippets whose numbers are computed at a time.
BATCH = 64
#: Frames that the shortest kernel needs on the differences; shorter snippets end in zeros.
MIN_FRAMES = 10
#: Penalties that the ridge classifier chooses from, as in aeon.
ALPHAS = np.logspace(-3, 3, 10)
#: Memory a number of a snippet, when there are the raw ones and the scaled ones.
BYTES = 12
#: Matrices of snippets by snippets that the ridge classifier holds at once.
SQUARES = 4
#: MultiRocket's kernels of a dilation, and numbers of a bias: fixed by the method.
KERNELS, POOLED = 84, 4

#: What MultiRocket draws for the series and for its differences, in aeon's order.
DRAWN = ("channel_counts", "channels", "dilations", "bias_counts", "biases")
WAYS = ("series", "differences")
#: Names of everything that is learned.
NUMBERS = frozenset(
    {f"{way}_{name}" for way in WAYS for name in DRAWN}
    | {"snippet", "hydra_kernels", "hydra_channels", "coefficients", "intercept"}
    | {f"{part}_{name}" for part in ("hydra", "rocket") for name in ("mean", "scale")}
)

Numbers = Mapping[str, torch.Tensor]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, so that no sum depends on how many there are.

    aeon seeds the random numbers of the whole process and sets its number of threads: both are
    put back.
    """
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    state = np.random.get_state()  # noqa: NPY002 (the one that aeon seeds)
    try:
        with threadpool_limits(1), torch.random.fork_rng(devices=[]):
            torch.set_num_threads(1)
            yield
    finally:
        torch.set_num_threads(threads)
        np.random.set_state(state)  # noqa: NPY002


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """Lay out snippets as aeon reads them.

    Parameters
    ----------
    x : Tensor of shape (instance, frame, feature)

    Returns
    -------
    Tensor of shape (instance, feature, frame)
        With zeros behind snippets of fewer than ``MIN_FRAMES`` frames.
    """
    missing = max(MIN_FRAMES - x.shape[1], 0)
    return functional.pad(x.detach().float().transpose(1, 2), (0, missing)).contiguous()


def hydra_numbers(x: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Count which kernel of a group fits best in each frame, and which fits worst.

    Parameters
    ----------
    x : Tensor of shape (instance, feature, frame)
    numbers
        ``hydra_kernels`` of shape (dilation, way, kernel, 1, 9), kernels of a group together;
        ``hydra_channels`` of shape (dilation, way, group, channel), features whose sum a group
        reads. A single feature is read as it is.

    Returns
    -------
    Tensor of shape (instance, number)
    """
    found = []
    drawn = zip(numbers["hydra_kernels"], numbers["hydra_channels"], strict=True)
    for exponent, (kernels, channels) in enumerate(drawn):
        dilation = 2**exponent
        for series, own, groups in zip((x, x.diff()), kernels, channels, strict=True):
            single = x.shape[1] == 1
            fit = functional.conv1d(
                series if single else series[:, groups].sum(2),
                own,
                dilation=dilation,
                padding=4 * dilation,
                groups=1 if single else len(groups),
            ).unflatten(1, (len(groups), -1))
            (best, winner), (worst, loser) = fit.max(2), fit.min(2)
            nothing = x.new_zeros(fit.shape[:3])
            found.append(nothing.scatter_add(-1, winner, best))
            found.append(nothing.scatter_add(-1, loser, torch.ones_like(worst)))
    return torch.cat(found, dim=1).flatten(1)


def rocket_numbers(x: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Pool what MultiRocket's kernels give, by aeon's code.

    Parameters
    ----------
    x : Tensor of shape (instance, feature, frame)
    numbers
        What ``DRAWN`` names, for the series and for its differences.

    Returns
    -------
    Tensor of shape (instance, number)
    """
    from aeon.transformations.collection.convolution_based import MultiRocket

    # aeon draws no channels where there is but one.
    names = DRAWN if x.shape[1] > 1 else DRAWN[2:]
    rocket = MultiRocket(n_features_per_kernel=POOLED)
    rocket.parameter, rocket.parameter1 = (
        tuple(numbers[f"{way}_{name}"].numpy() for name in names) for way in WAYS
    )
    # Nothing is random any more, but for a seed that is no number it would be compiled anew.
    rocket._n_jobs, rocket.random_state_ = 1, 0
    return torch.from_numpy(rocket._transform(x.numpy()))


def raw_numbers(x: torch.Tensor, numbers: Numbers) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn snippets into numbers, not yet scaled.

    Parameters
    ----------
    x : Tensor of shape (instance, frame, feature)
    numbers
        From :func:`draw_kernels`.

    Returns
    -------
    hydra, rocket : Tensor of shape (instance, number)
    """
    parts = []
    for batch in map(channels_first, x.split(BATCH)):
        parts.append((hydra_numbers(batch, numbers), rocket_numbers(batch, numbers)))
    hydra, rocket = zip(*parts, strict=True)
    return torch.cat(hydra), torch.cat(rocket)


def scaled(hydra: torch.Tensor, rocket: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """Scale raw numbers as aeon does, in single precision.

    Returns
    -------
    Tensor of shape (instance, number), float64
        Hydra's, then MultiRocket's. Hydra's are roots of counts, and 0 where nothing was counted.
    """
    width = hydra.shape[1]
    found = torch.empty(len(hydra), width + rocket.shape[1], dtype=torch.float64)
    for rows in torch.arange(len(hydra)).split(BATCH):
        root = hydra[rows].clamp(0).sqrt()
        centred = (root - numbers["hydra_mean"]) * (root != 0)
        found[rows, :width] = (centred / numbers["hydra_scale"]).double()
        centred = rocket[rows] - numbers["rocket_mean"]
        found[rows, width:] = (centred / numbers["rocket_scale"]).double()
    return found


class RandomConvolutions(nn.Module):
    """Kernels, scales and a linear classifier, all of them buffers.

    Parameters
    ----------
    numbers
        What is called as in ``NUMBERS``; ``snippet`` is a snippet's frames and features.
    """

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        for name in sorted(NUMBERS):
            # In one order in memory: products of matrices in another end in other digits.
            own = numbers[name].clone(memory_format=torch.contiguous_format)
            self.register_buffer(name, own)

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Return the decision values.

        Parameters
        ----------
        x : Tensor of shape (instance, frame, feature)

        Returns
        -------
        Tensor of shape (instance, value), float64
            Two classes: one value, positive speaks for the second. More: one a class.
        """
        numbers = dict(self.named_buffers())
        weights, constant = numbers["coefficients"], numbers["intercept"]
        found = [
            scaled(*raw_numbers(part, numbers), numbers) @ weights.T + constant
            for part in x.split(BATCH)
        ]
        return torch.cat(found)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (instance, class), float64; see the module's text."""
        found = self.decision(x)
        return found if found.shape[1] > 1 else torch.cat([torch.zeros_like(found), found], dim=1)


def count_numbers(options: MultiRocketOptions, frames: int) -> int:
    """Return how many numbers a snippet is turned into."""
    dilations = ((max(frames, MIN_FRAMES) - 1) // 8).bit_length()
    hydra = dilations * 2 * 2 * (options.hydra_groups // 2) * options.hydra_kernels
    return hydra + 2 * POOLED * KERNELS * (options.n_kernels // KERNELS)


def laid_out(
    data: InstanceData, draws: Sequence[Draw], options: MultiRocketOptions
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    """Lay out snippets side by side, where there is memory for all that follows.

    Returns
    -------
    x : Tensor of shape (draw, frame, feature)
    y : ndarray of shape (draw,)

    Raises
    ------
    RefusedError
        If their numbers take more than ``max_gb``.
    """
    shape = data[draws[0]][0].shape
    width = count_numbers(options, shape[0])
    # The ridge classifier's matrices of snippets by snippets come on top.
    size_gb = (len(draws) * width * BYTES + SQUARES * 8 * len(draws) ** 2) / 1e9
    if size_gb > options.max_gb:
        raise RefusedError(
            f"multirocket_hydra: {len(draws)} training snippets of {width} numbers take "
            f"{size_gb:.1f} GB side by side, more than max_gb = {options.max_gb:g}. Let them "
            "overlap less (overlap_frames or step_s), switch training.augment_flip off, take "
            "fewer n_kernels, or raise max_gb."
        )
    x = torch.empty(len(draws), *shape)
    y = np.empty(len(draws), dtype=np.int64)
    for k, draw in enumerate(draws):
        x[k], y[k] = data[draw]
    return x, y


def draw_kernels(
    x: torch.Tensor, options: MultiRocketOptions, seed: int
) -> dict[str, torch.Tensor]:
    """Let aeon draw kernels, and the biases from the training snippets.

    Parameters
    ----------
    x : Tensor of shape (instance, feature, frame)
        At least two instances.
    options
        Sizes.
    seed
        Below 2**31.

    Returns
    -------
    dict
        What :func:`hydra_numbers` and :func:`rocket_numbers` need.
    """
    from aeon.transformations.collection.convolution_based import HydraTransformer, MultiRocket

    hydra = HydraTransformer(
        n_kernels=options.hydra_kernels, n_groups=options.hydra_groups, random_state=seed
    ).fit(x.numpy())
    numbers = {
        "hydra_kernels": hydra._hydra.W,
        "hydra_channels": torch.stack(hydra._hydra.idx),
    }
    rocket = MultiRocket(
        n_kernels=options.n_kernels, n_features_per_kernel=POOLED, random_state=seed
    ).fit(x.numpy())
    for way, drawn in zip(WAYS, (rocket.parameter, rocket.parameter1), strict=True):
        nothing = [np.empty(0, dtype=np.int32)] * (len(DRAWN) - len(drawn))
        for name, values in zip(DRAWN, [*nothing, *drawn], strict=True):
            numbers[f"{way}_{name}"] = torch.from_numpy(values)
    return numbers


def fit_scales(hydra: torch.Tensor, rocket: torch.Tensor) -> dict[str, torch.Tensor]:
    """Find means and scales as aeon does; what is constant has a scale that is not zero."""
    from sklearn.preprocessing import StandardScaler

    root = hydra.clamp(0).sqrt()
    rare = (root == 0).float().mean(0) ** 4 + 1e-8
    standard = StandardScaler().fit(rocket.numpy())
    return {
        "hydra_mean": root.mean(0),
        "hydra_scale": root.std(0) + rare,
        "rocket_mean": torch.from_numpy(standard.mean_).float(),
        "rocket_scale": torch.from_numpy(standard.scale_).float(),
    }


def fit_ridge(
    x: NDArray[np.float64], y: NDArray[np.int64], class_weights: bool
) -> dict[str, torch.Tensor]:
    """Fit a ridge classifier as scikit-learn's ``RidgeClassifierCV`` does.

    The penalty of ``ALPHAS`` is taken whose squared error is least when every instance is left
    out once. scikit-learn would need three times the memory of the numbers; this needs them once.

    Parameters
    ----------
    x : ndarray of shape (instance, number)
        Is overwritten.
    y : ndarray of shape (instance,)
        Every class from 0 on.
    class_weights
        Weigh classes by inverse frequency.

    Returns
    -------
    dict
        ``coefficients`` of shape (value, number), ``intercept`` of shape (value,): one value for
        two classes, else one a class.
    """
    counts = np.bincount(y)
    weight = len(y) / (len(counts) * counts[y]) if class_weights else np.ones(len(y))
    told = np.arange(len(counts)) if len(counts) > 2 else np.ones(1, dtype=np.int64)
    target = np.where(y[:, None] == told, 1.0, -1.0)
    share, root = weight / weight.sum(), np.sqrt(weight)
    mean, middle = share @ x, share @ target
    x -= mean
    x *= root[:, None]
    values, vectors = np.linalg.eigh(x @ x.T)
    turned = vectors.T @ ((target - middle) * root[:, None])
    constant, squares = vectors.T @ root, vectors**2
    least, best = np.inf, turned
    for alpha in ALPHAS:
        inverse = 1 / (values + alpha)
        dual = vectors @ (inverse[:, None] * turned)
        # The diagonal of the inverse; the intercept is fitted anew without the instance, too.
        own = squares @ inverse - vectors @ (inverse * constant) * root / weight.sum()
        error = float(np.mean((dual / own[:, None]) ** 2))
        if error < least:
            least, best = error, dual
    coefficients = best.T @ x
    return {
        "coefficients": torch.from_numpy(coefficients),
        "intercept": torch.from_numpy(middle - coefficients @ mean),
    }


def fit_machine(
    x: torch.Tensor, y: NDArray[np.int64], options: MultiRocketOptions, seed: int
) -> RandomConvolutions:
    """Fit everything.

    Parameters
    ----------
    x : Tensor of shape (instance, frame, feature)
        At least two instances.
    y : ndarray of shape (instance,)
        Every class from 0 on.
    options
        Sizes and weights.
    seed
        Below 2**31.
    """
    with one_thread():
        numbers = draw_kernels(channels_first(x), options, seed)
        numbers["snippet"] = torch.tensor(x.shape[1:])
        hydra, rocket = raw_numbers(x, numbers)
        numbers |= fit_scales(hydra, rocket)
        values = scaled(hydra, rocket, numbers)
        del hydra, rocket  # the ridge classifier needs the room
        numbers |= fit_ridge(values.numpy(), y, options.class_weights)
    return RandomConvolutions(numbers)


def _drawn_for(numbers: Numbers, frames: int, n_features: int) -> bool:
    """Tell whether MultiRocket's kernels stay within snippets of this size.

    aeon's compiled code looks at no bounds: what it is given has to be sound.
    """
    for way, length in zip(WAYS, (frames, frames - 1), strict=True):
        counts, channels, dilations, biases, bias = (numbers[f"{way}_{name}"] for name in DRAWN)
        kernels = KERNELS * len(dilations) if n_features > 1 else 0
        sizes = (len(counts), int(counts.sum()), len(biases), KERNELS * int(biases.sum()))
        if sizes != (kernels, len(channels), len(dilations), len(bias)):
            return False
        if bool((counts < 1).any() | (dilations < 1).any() | (8 * dilations >= length).any()):
            return False
        if bool((channels < 0).any() | (channels >= n_features).any() | (biases < 0).any()):
            return False
    # The differences are read by the channels of the series.
    return len(numbers["differences_dilations"]) <= len(numbers["series_dilations"])


def belong_to(numbers: Numbers, frames: int, n_features: int, n_classes: int) -> bool:
    """Tell whether numbers are those of a machine for such snippets and as many classes."""
    if set(numbers) != NUMBERS or numbers["snippet"].tolist() != [frames, n_features]:
        return False
    if not _drawn_for(numbers, max(frames, MIN_FRAMES), n_features):
        return False
    hydra = 2 * numbers["hydra_kernels"].shape[:3].numel()
    rocket = POOLED * sum(len(numbers[f"{way}_biases"]) for way in WAYS)
    rows = 1 if n_classes == 2 else n_classes
    wanted = {
        "hydra_mean": (hydra,),
        "hydra_scale": (hydra,),
        "rocket_mean": (rocket,),
        "rocket_scale": (rocket,),
        "coefficients": (rows, hydra + rocket),
        "intercept": (rows,),
    }
    return all(tuple(numbers[name].shape) == shape for name, shape in wanted.items())


class MultiRocketHydra(EstimatorSystem):
    """MultiRocket-Hydra of aeon."""

    name = "multirocket_hydra"
    options = MultiRocketOptions
    libraries = ("aeon", "numba", "scikit-learn")

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 10 s snippets at 30 frames a second, every feature a z-score."""
        return snippet_inputs(options)

    @classmethod
    def fit(
        cls,
        options: Any,
        data: InstanceData,
        draws: Sequence[Draw],
        n_classes: int,
        seed: int,
    ) -> nn.Module:
        """Fit in one thread; the seed draws kernels, and snippets for their biases."""
        require_sizes(cls.name, data[draws[0]][0].shape[1], n_classes)
        x, y = laid_out(data, draws, options)
        there = np.unique(y)
        if there.tolist() != list(range(n_classes)):
            raise RefusedError(f"{cls.name}: there are snippets of {len(there)} classes alone.")
        return fit_machine(x, y, options, seed)

    @classmethod
    def restore(
        cls, options: Any, n_features: int, n_classes: int, weights: Mapping[str, torch.Tensor]
    ) -> nn.Module:
        """Build a machine of the numbers."""
        require_sizes(cls.name, n_features, n_classes)
        if not belong_to(weights, options.window_frames, n_features, n_classes):
            raise ValueError("the weights are those of another network")
        return RandomConvolutions(weights)
