"""What a MAM's final probability is made of, and what weighs in its pooling.

Contributions are Shapley values (Lundberg and Lee 2017; library shap, exact: with five players all
32 coalitions are asked) of the *fused* probability of being at risk: the video, as the main branch
reports it after pooling an infant's instances, beside the four characteristics (Gao 2023,
Supplementary Fig. 5). What an absent player is replaced by comes from the development infants:
their characteristics, and what the fold model that never saw them says of their videos.

Figure 4a's curve is the exponential of the pooling network's score as a function of the
probability of fidgety movements, before the softmax over a bag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fidgety.datasets.characteristics import CHARACTERISTICS, encode
from fidgety.errors import ConfigError
from fidgety.models.mam import MamClipNetwork, log_of_pooled
from fidgety.models.mam_full import MamNetwork
from fidgety.training.fold_model import FoldModel
from fidgety.training.results import ModelPrediction

VIDEO = "video"
PLAYERS = (VIDEO, *CHARACTERISTICS)
SHAP_COLUMNS = ("infant", "set", "player", "value", "contribution", "folds", "base")
WEIGHT_COLUMNS = ("fold", "probability", "weight")
#: Infants of the background, at most: the cost is 32 times this a fold model and infant.
BACKGROUND = 100


def main_branch(
    prediction: ModelPrediction, place: int, bag_softmax: bool
) -> list[NDArray[np.float64]]:
    """Recover what the main branch says of an infant before it is fused.

    Parameters
    ----------
    prediction
        With attention.
    place
        Index of the fold model in the prediction.
    bag_softmax
        Whether the pooled probabilities go through a softmax.

    Returns
    -------
    list of ndarray of shape (class,)
        Log-probabilities: one entry, or one a recording where recordings are pooled by
        themselves.
    """
    assert prediction.attention is not None
    weight, probability = prediction.attention[place], prediction.probability[place]
    groups = [np.ones(len(weight), dtype=bool)]
    if prediction.pooling == "recording":
        own = np.array(prediction.recording, dtype=object)
        groups = [own == source for source in prediction.sources]
    found = []
    for member in groups:
        pooled = torch.from_numpy(weight[member] @ probability[member])
        found.append(log_of_pooled(pooled, bag_softmax).numpy())
    return found


def infant_info(
    recordings: Sequence[str], rows: Mapping[str, Mapping[str, Any]]
) -> NDArray[np.float64]:
    """Return an infant's characteristics in the recordings that were assessed.

    Returns
    -------
    ndarray of shape (recording, characteristic)
        NaN where missing.
    """
    return np.array([encode(rows.get(r, {})) for r in recordings], dtype=np.float64)


class FusedRisk:
    """The fused probability of being at risk as a function of whose video and characteristics.

    As in prediction, an infant's characteristics are the mean over its recordings, after
    standardisation; where recordings are pooled by themselves, each is fused with its own. A
    characteristic of another infant, whose recordings are others, is that infant's mean.

    Parameters
    ----------
    fold_model
        A fold model with the branch of characteristics.
    videos
        For every infant what :func:`main_branch` gave.
    info : sequence of ndarray of shape (recording, characteristic)
        For every infant, of :func:`infant_info`.
    """

    def __init__(
        self,
        fold_model: FoldModel,
        videos: Sequence[Sequence[NDArray[np.float64]]],
        info: Sequence[NDArray[np.float64]],
    ) -> None:
        if fold_model.info_scaling is None:
            raise ConfigError(f"model {fold_model.model} reads no characteristics: set info: true.")
        scaled = [fold_model.info_scaling.values(own) for own in info]
        # A value and, where there are flags, its flag are one player.
        self.each = [one.reshape(len(one), -1, len(CHARACTERISTICS)) for one in scaled]
        self.mean = np.stack([one.mean(axis=0) for one in self.each])
        self.network = cast("MamNetwork", fold_model.network)
        self.videos = videos
        self.risky = np.array(fold_model.at_risk, dtype=bool)

    def __call__(self, players: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability.

        Parameters
        ----------
        players : ndarray of shape (case, 5)
            For every player (:data:`PLAYERS`) the index of the infant whose it is.
        """
        whose = players.astype(np.intp)
        own = [self.videos[k] for k in whose[:, 0]]
        flat = torch.from_numpy(np.concatenate([np.stack(v) for v in own])).float()
        info = np.concatenate([self._info(case) for case in whose])
        with torch.inference_mode():
            fused = self.network.fuse(flat, torch.from_numpy(info).float()).double().exp()
        risk = fused.numpy()[:, self.risky].sum(axis=1)
        counts = np.array([len(v) for v in own])
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return np.asarray(np.add.reduceat(risk, starts) / counts)

    def _info(self, case: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return what is fused with each of a case's videos, of shape (video, value)."""
        infant, n = int(case[0]), len(self.videos[case[0]])
        columns = np.arange(len(CHARACTERISTICS))
        taken = np.repeat(self.mean[case[1:], :, columns].T[None], n, axis=0)
        if n > 1:
            own = case[1:] == infant
            taken[:, :, own] = self.each[infant][:, :, own]
        return taken.reshape(n, -1)


def contributions(
    fold_models: Mapping[int, FoldModel],
    predictions: Mapping[str, ModelPrediction],
    roles: Mapping[str, str],
    info: Mapping[str, NDArray[np.float64]],
    seed: int,
) -> pd.DataFrame:
    """Split every infant's probability of being at risk into contributions.

    Parameters
    ----------
    fold_models
        Fold models by fold, all of one model.
    predictions
        Infant to what that model says; infants without a result are left out.
    roles
        Infant to the role of its cohort.
    info
        Infant to its characteristics, of :func:`infant_info`.
    seed
        Of the choice of the background, where there are many development infants.

    Returns
    -------
    DataFrame
        Columns :data:`SHAP_COLUMNS`, five rows an infant: ``value`` is the player's own (of the
        video its probability of being at risk), ``contribution`` what it adds to ``base``, the
        mean over the background. Mean over the infant's fold models.
    """
    import shap  # slow to load, needed here alone

    answered = {k: p for k, p in sorted(predictions.items()) if p.outcome.ok}
    background = [k for k in answered if roles[k] == "development"] or list(answered)
    if not background:
        return pd.DataFrame(columns=list(SHAP_COLUMNS))
    rng = np.random.default_rng(seed)
    if len(background) > BACKGROUND:
        background = sorted(rng.choice(background, BACKGROUND, replace=False))
    sums: dict[str, list[tuple[NDArray[np.float64], float, float]]] = {k: [] for k in answered}
    softmax = {
        k: bool(cast("MamClipNetwork", b.network).bag_softmax) for k, b in fold_models.items()
    }
    risky = np.array(next(iter(fold_models.values())).at_risk, dtype=bool)
    for fold, fold_model in sorted(fold_models.items()):
        asked = [k for k, p in answered.items() if fold in p.folds]
        if not asked:
            continue
        names = [*background, *asked]
        # A development infant has the model of its own fold alone: that one speaks for its video.
        places = [answered[k].folds.index(fold) if fold in answered[k].folds else 0 for k in names]
        videos = [
            main_branch(answered[k], place, softmax[fold])
            for k, place in zip(names, places, strict=True)
        ]
        risk = FusedRisk(fold_model, videos, [info[k] for k in names])
        table = np.repeat(np.arange(len(names), dtype=np.float64)[:, None], len(PLAYERS), axis=1)
        n = len(background)
        masker = shap.maskers.Independent(table[:n], max_samples=n)
        explained = shap.explainers.Exact(risk, masker)(table[n:], silent=True)
        for k, name in enumerate(asked):
            own = float(np.mean([np.exp(v)[risky].sum() for v in videos[n + k]]))
            sums[name].append((explained.values[k], float(explained.base_values[k]), own))
    rows = []
    for name, found in sums.items():
        if not found:
            continue
        values = np.mean([f[0] for f in found], axis=0)
        base, own = (float(np.mean([f[i] for f in found])) for i in (1, 2))
        for player, given, value in zip(PLAYERS, (own, *_known(info[name])), values, strict=True):
            rows.append((name, roles[name], player, float(given), float(value), len(found), base))
    return pd.DataFrame(rows, columns=list(SHAP_COLUMNS))


def _known(info: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the recordings that have a characteristic; NaN where none has."""
    there = np.isfinite(info)
    total = np.where(there, info, 0.0).sum(axis=0)
    return np.where(there.any(axis=0), total / np.maximum(there.sum(axis=0), 1), np.nan)


def pooling_weights(fold_models: Mapping[int, FoldModel], points: int = 101) -> pd.DataFrame:
    """Tabulate how much an instance weighs in its bag by its probability (Figure 4a).

    Parameters
    ----------
    fold_models
        Fold models by fold.
    points
        Probabilities of fidgety movements between 0 and 1.

    Returns
    -------
    DataFrame
        Columns :data:`WEIGHT_COLUMNS`. With more than two classes the rest is shared evenly within
        either side.
    """
    probability = np.linspace(0.0, 1.0, points)
    rows = []
    for fold, fold_model in sorted(fold_models.items()):
        risky = np.array(fold_model.at_risk, dtype=bool)
        share = np.where(risky, 1 / risky.sum(), 1 / (~risky).sum())
        by_class = np.where(risky, 1 - probability[:, None], probability[:, None]) * share
        network = cast("MamClipNetwork", fold_model.network)
        with torch.inference_mode():
            score = network.bag_score(torch.from_numpy(by_class).float())[:, 0].double()
        rows += [(fold, float(p), float(w)) for p, w in zip(probability, score.exp(), strict=True)]
    return pd.DataFrame(rows, columns=list(WEIGHT_COLUMNS))
