"""Scores of one infant by one network: every instance's, and the infant's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import nn

from fidgety.datasets.instances import BagData, Draw, InstanceData, collate_bags
from fidgety.datasets.series import InputSpec, Series
from fidgety.datasets.windows import Windows, cut_windows
from fidgety.errors import NotAssessable, Reason
from fidgety.models.base import ModelSystem, Pool, call_bags, judge_prefixes
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
    class_score : ndarray of shape (instance, class), optional
        Of models that score every class by itself (``classes_apart``): these scores.
    early : ndarray of shape (instance, class), optional
        The infant's probability if its recordings ended with this instance.
    seen_s : ndarray of shape (instance,), optional
        How long has been watched at the end of the instance: recordings follow one another.
    """

    recording: tuple[str, ...]
    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    probability: NDArray[np.float64]
    infant_probability: NDArray[np.float64]
    recording_probability: dict[str, NDArray[np.float64]]
    attention: NDArray[np.float64] | None = None
    class_score: NDArray[np.float64] | None = None
    early: NDArray[np.float64] | None = None
    seen_s: NDArray[np.float64] | None = None


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


class _Bag(NamedTuple):
    """What a network says of one bag: of its instances, and of the whole.

    ``early`` is empty unless it was asked for.
    """

    probability: NDArray[np.float64]
    class_score: NDArray[np.float64]
    attention: NDArray[np.float64]
    whole: NDArray[np.float64]
    early: NDArray[np.float64]


def _score_bag(
    network: nn.Module,
    series: Sequence[Series],
    windows: Windows,
    bag: NDArray[np.int64],
    early: bool,
) -> _Bag:
    data = BagData(series, windows, [bag], np.zeros(1, dtype=np.int64))
    batch = collate_bags([data[Draw(0)]])
    output = call_bags(network, batch, 1)
    prefixes = np.empty((0, output.instance_logits.shape[1]))
    if early:
        prefixes = judge_prefixes(network, batch, output).double().exp().numpy()
    return _Bag(
        output.instance_logits.softmax(dim=1).double().numpy(),
        output.instance_logits.sigmoid().double().numpy(),
        output.attention.double().numpy(),
        output.bag_log_probability[0].double().exp().numpy(),
        prefixes,
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

    def prefixes(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pool the first instance, the first two, and so on: (instance, class)."""
        return np.stack([self(probability[: k + 1]) for k in range(len(probability))])


def score_infant(
    network: nn.Module,
    system: type[ModelSystem],
    spec: InputSpec,
    series: Sequence[Series],
    pooling: str,
    pool: InstancePool = InstancePool(),
    *,
    early: bool = False,
) -> Scores:
    """Score one infant's standardised recordings: :func:`score_windows` of all its windows.

    Raises
    ------
    NotAssessable
        With ``no_complete_window`` if there is no instance.
    """
    windows = complete_windows(series, spec, training=False)
    return score_windows(network, system, spec, series, windows, pooling, pool, early=early)


def score_windows(
    network: nn.Module,
    system: type[ModelSystem],
    spec: InputSpec,
    series: Sequence[Series],
    windows: Windows,
    pooling: str,
    pool: InstancePool = InstancePool(),
    *,
    early: bool = False,
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
    early
        Whether to say, too, what the infant's probability would have been at every instance's end.
    """
    by_recording = [np.flatnonzero(windows.series == k) for k in range(len(series))]
    attention = class_score = None
    whole = np.arange(len(windows))
    apart = pooling == "recording"
    single: dict[str, NDArray[np.float64]] = {}
    prefixes: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        if system.objective == "instance":
            probability = score_instances(network, series, windows)
            infant = pool(probability)
            for s, members in zip(series, by_recording, strict=True):
                if len(members):
                    single[s.recording] = pool(probability[members])
            if early:
                groups = by_recording if apart else [whole]
                prefixes = [pool.prefixes(probability[own]) for own in groups if len(own)]
        else:
            bag = _score_bag(network, series, windows, whole, early and not apart)
            probability, attention, infant = bag.probability, bag.attention, bag.whole
            class_score = bag.class_score if system.classes_apart else None
            prefixes.append(bag.early)
            for s, members in zip(series, by_recording, strict=True):
                if len(members):
                    # One recording alone is the whole.
                    alone = bag
                    if len(members) < len(windows) or (early and apart):
                        alone = _score_bag(network, series, windows, members, early and apart)
                    single[s.recording] = alone.whole
                    if apart:
                        prefixes.append(alone.early)
                    if apart:
                        attention[members] = alone.attention
    if apart:
        infant = np.mean(list(single.values()), axis=0)
        prefixes = _means_so_far(prefixes)
    start = [series[k].second(int(f)) for k, f in zip(windows.series, windows.start, strict=True)]
    start_s = np.array(start, dtype=np.float64)
    stop_s = start_s + windows.length / spec.rate_hz
    before = np.cumsum([0.0, *(s.second(len(s.values)) for s in series)])
    return Scores(
        recording=tuple(series[k].recording for k in windows.series),
        start_s=start_s,
        stop_s=stop_s,
        probability=probability,
        infant_probability=infant,
        recording_probability=single,
        attention=attention,
        class_score=class_score,
        early=np.concatenate(prefixes) if early else None,
        seen_s=before[windows.series] + stop_s if early else None,
    )


def _means_so_far(prefixes: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Make recordings' prefixes those of an infant whose recordings count the same.

    Parameters
    ----------
    prefixes : sequence of ndarray of shape (instance, class)
        Of one recording each, in order; those without an instance are skipped.

    Returns
    -------
    list of ndarray of shape (instance, class)
        The mean of the recordings that are over and of the one that is being watched.
    """
    found: list[NDArray[np.float64]] = []
    over = [own[-1] for own in prefixes if len(own)]
    for k, own in enumerate(own for own in prefixes if len(own)):
        found.append((np.sum(over[:k], axis=0) + own) / (k + 1))
    return found
