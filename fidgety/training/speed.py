"""How long one fold model takes for a recording: processor time, several times over.

Counted are reading the features, scaling them, cutting and scoring them. Not counted are loading
the model, and what all models share: video, pose and features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fidgety.datasets.series import without_video
from fidgety.errors import NotAssessable
from fidgety.training.fold_model import FoldModel
from fidgety.training.predict import predict_model


@dataclass(frozen=True)
class TimedRecording:
    """A recording that models are timed on.

    Parameters
    ----------
    recording, infant
        Ids.
    minutes
        How long it is; 0 where it has no pose.
    features
        Its features.
    pixels
        Its crops and flow, for models of pictures; None without a video.
    """

    recording: str
    infant: str
    minutes: float
    features: Path
    pixels: Path | None = None


def time_model(
    fold_model: FoldModel,
    recording: TimedRecording,
    rounds: int,
    rows: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    clock: Callable[[], float] = time.process_time,
) -> list[float]:
    """Score a recording by one fold model again and again.

    Parameters
    ----------
    fold_model
        A fold model that has not seen the infant.
    recording
        What it scores.
    rounds
        How often it is timed, after a first time that does not count.
    rows
        Recording to the infant's characteristics, for models that read them.
    clock
        Seconds.

    Returns
    -------
    list of float
        Seconds of every round.

    Raises
    ------
    NotAssessable
        If the model has no result of the recording.
    """
    source = recording.pixels if fold_model.spec.pixels else recording.features
    if source is None:
        raise without_video()
    seconds = []
    for _ in range(rounds + 1):
        start = clock()
        said = predict_model(
            [fold_model],
            recording.infant,
            {recording.recording: source},
            other_units="accept",
            rows=rows,
            early=False,
        )
        seconds.append(clock() - start)
        if not said.outcome.ok:
            reason = said.outcome.reason
            assert reason is not None
            raise NotAssessable(reason, said.outcome.detail)
    return seconds[1:]
