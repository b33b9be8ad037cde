"""Scores of one infant by one network: every instance's, and the infant's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import nn

from fidgety.datasets.instances import BagData, Draw, InstanceData, collate_bags
from fidgety.datasets.series import InputSpec, Series
from fidgety.datasets.windows import Windows, cut_windows
from fidgety.errors import NotAssessable, Reason
from fidgety.models.base import ModelSystem, Pool, call_bags
from fidgety.training.risk import risk_probability

#: Instances that go through a network at a time.
BATCH = 64


@dataclass(frozen=True)
class Scores:
    """What a network says of one infant.

    Parameters
    ----------
    recording
        One an instance.
    start_s, stop_s : ndarray of shape (instance,)
        Where the instance lies in its recording.
    probability : ndarray of shape (instance, class)
    infant_probability : ndarray of shape (class,)
    recording_probability
        The same for every recording by itself.
    attention : ndarray of shape (instance,), optional
        Weight of the instance in its bag.
    """

    recording: tuple[str, ...]
    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    probability: NDArray[np.float64]
    infant_probability: NDArray[np.float64]
    recording_probability: dict[str, NDArray[np.float64]]
    attention: NDArray[np.float64] | None = None


def complete_windows(series: Sequence[Series], spec: InputSpec, *, training: bool) -> Windows:
    """Cut the windows of one infant's recordings.

    Raises
    ------
    NotAssessable
        With ``no_complete_window`` if there is none.
    """
    windows = cut_windows(series, spec.window_frames, spec.step_frames(training), spec.most_windows)
    if not len(windows):
        lengths = ", ".join(f"{len(s.values) / s.rate_hz:.1f} s" for s in series)
        longest = max((longest_run(s.complete) / s.rate_hz for s in series), default=0.0)
        raise NotAssessable(
            Reason.NO_COMPLETE_WINDOW,
            f"a window is {spec.window_s:g} s; recordings of {lengths}; longest stretch without a "
            f"missing value {longest:.1f} s; {windows.dropped} windows dropped",
        )
    return windows


def longest_run(complete: NDArray[np.bool_]) -> int:
    """Return the length of the longest run of frames that have all their values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], complete, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def bags_of(
    owners: Sequence[str], series: Sequence[Series], windows: Windows, pooling: str
) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Group windows into bags.

    Parameters
    ----------
    owners
        Infants, in the order of the bags.
    series, windows
        Recordings and their instances.
    pooling
        ``infant``: one bag an infant; ``recording``: one a recording.

    Returns
    -------
    bags : list of ndarray
        Indices of windows; bags without a window are left out.
    owner : list of int
        Index of each bag's infant.
    """
    bags, owner = [], []
    for index, infant in enumerate(owners):
        own = [k for k, s in enumerate(series) if s.infant == infant]
        groups = [own] if pooling == "infant" else [[k] for k in own]
        for group in groups:
            members = np.flatnonzero(np.isin(windows.series, group))
            if len(members):
                bags.append(members)
                owner.append(index)
    return bags, owner


def score_instances(
    network: Callable[[torch.Tensor], torch.Tensor],
    series: Sequence[Series],
    windows: Windows,
    *,
    softmax: bool = True,
) -> NDArray[np.float64]:
    """Return the probabilities of windows, of shape (instance, class).

    Call it inside ``torch.inference_mode()``.

    Parameters
    ----------
    network
        Of a model whose objective is the instance, or a part of it.
    series
        Standardised.
    windows
        At least one.
    softmax
        Whether to turn what it gives into probabilities.
    """
    data = InstanceData(series, windows, np.zeros(len(windows), dtype=np.int64))
    found = []
    for first in range(0, len(data), BATCH):
        stop = min(first + BATCH, len(data))
        x = torch.stack([data[Draw(i)][0] for i in range(first, stop)])
        given = network(x)
        found.append(given.softmax(dim=1) if softmax else given)
    return torch.cat(found).double().numpy()


def _score_bag(
    network: nn.Module, series: Sequence[Series], windows: Windows, bag: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return instance probabilities, attention, and the bag's probability."""
    data = BagData(series, windows, [bag], np.zeros(1, dtype=np.int64))
    batch = collate_bags([data[Draw(0)]])
    output = call_bags(network, batch, 1)
    return (
        output.instance_logits.softmax(dim=1).double().numpy(),
        output.attention.double().numpy(),
        output.bag_log_probability[0].double().exp().numpy(),
    )


@dataclass(frozen=True)
class InstancePool:
    """How the instances' probabilities become the infant's.

    Parameters
    ----------
    kind
        ``mean``; ``median`` of every class, brought to a sum of 1 (which it has with two classes);
        ``logits``: the softmax of the logits' mean, which is the geometric mean of the
        probabilities, brought to a sum of 1; ``highest``: those of the instance with the highest
        risk.
    at_risk
        For each class whether it counts as risk.
    """

    kind: Pool = "mean"
    at_risk: tuple[bool, ...] = ()

    def __call__(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pool probabilities of shape (instance, class)."""
        if self.kind == "highest":
            return probability[risk_probability(probability, self.at_risk).argmax()]
        if self.kind == "mean":
            return np.asarray(probability.mean(axis=0))
        if self.kind == "median":
            middle = np.median(probability, axis=0)
            # Of three classes, each may be surely absent from most instances.
            return np.asarray(middle / middle.sum() if middle.sum() else probability.mean(axis=0))
        tiny = np.finfo(np.float64).tiny
        return np.asarray(special.softmax(np.log(np.maximum(probability, tiny)).mean(axis=0)))


def score_infant(
    network: nn.Module,
    system: type[ModelSystem],
    spec: InputSpec,
    series: Sequence[Series],
    pooling: str,
    pool: InstancePool = InstancePool(),
) -> Scores:
    """Score one infant's standardised recordings: :func:`score_windows` of all its windows.

    Raises
    ------
    NotAssessable
        With ``no_complete_window`` if there is no instance.
    """
    windows = complete_windows(series, spec, training=False)
    return score_windows(network, system, spec, series, windows, pooling, pool)


def score_windows(
    network: nn.Module,
    system: type[ModelSystem],
    spec: InputSpec,
    series: Sequence[Series],
    windows: Windows,
    pooling: str,
    pool: InstancePool = InstancePool(),
) -> Scores:
    """Score one infant by some windows of its standardised recordings.

    The infant's probability is pooled over its instances, or the bag's for bag models. With
    ``pooling="recording"`` every recording is scored by itself and counts the same.

    Parameters
    ----------
    network
        In evaluation mode, on the CPU.
    system
        The published system.
    spec
        What the model reads.
    series
        All of one infant.
    windows
        At least one.
    pooling
        ``infant`` or ``recording``.
    pool
        Of systems whose objective is the instance.
    """
    by_recording = [np.flatnonzero(windows.series == k) for k in range(len(series))]
    attention = None
    whole = np.arange(len(windows))
    single: dict[str, NDArray[np.float64]] = {}
    with torch.inference_mode():
        if system.objective == "instance":
            probability = score_instances(network, series, windows)
            infant = pool(probability)
            for s, members in zip(series, by_recording, strict=True):
                if len(members):
                    single[s.recording] = pool(probability[members])
        else:
            probability, attention, infant = _score_bag(network, series, windows, whole)
            for s, members in zip(series, by_recording, strict=True):
                if len(members):
                    _, weight, single[s.recording] = _score_bag(network, series, windows, members)
                    if pooling == "recording":
                        attention[members] = weight
    if pooling == "recording":
        infant = np.mean(list(single.values()), axis=0)
    start = [series[k].second(int(f)) for k, f in zip(windows.series, windows.start, strict=True)]
    start_s = np.array(start, dtype=np.float64)
    return Scores(
        recording=tuple(series[k].recording for k in windows.series),
        start_s=start_s,
        stop_s=start_s + windows.length / spec.rate_hz,
        probability=probability,
        infant_probability=infant,
        recording_probability=single,
        attention=attention,
    )
