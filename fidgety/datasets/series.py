"""Series: one recording's features at a model's own rate, and their standardisation.

A model says what it wants in an :class:`InputSpec`, in seconds and hertz. A recording's feature
sets are put side by side, resampled by their time stamps and, after the standardisation was
fitted on training infants, standardised. NaN is a missing value throughout; nothing is filled.

A model of pictures reads no features: its series have no columns, and their clips stay in the file
of crops and flow until they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason
from fidgety.features.store import mirror_features, read_feature_set
from fidgety.pixels.clips import PixelClips

#: Time stamps further apart than this many nominal frame intervals are a gap.
GAP_INTERVALS = 2.5
#: A grid time this close to a time stamp, in intervals, takes that frame's value as it is.
EXACT_INTERVALS = 1e-3


@dataclass(frozen=True)
class InputSpec:
    """What a model reads.

    Parameters
    ----------
    feature_sets
        Names from the feature registry, side by side in this order; none where ``pixels``.
    rate_hz
        Frame rate to which series are resampled; of pixels, fields of flow a second.
    window_s
        Length of an instance.
    step_s
        Distance between the starts of training instances.
    predict_step_s
        Distance between the starts of instances in validation and prediction.
    space_dimensions
        None standardises every column by itself. A number C pools mean and standard deviation
        over all columns of a feature set that are of the same space dimension, for keypoint-major
        columns (x, y, z, x, ...); feature sets then are of the same size.
    centre
        Subtract every recording's own mean from each column, before the standardisation.
    pixels
        Whether crops and flow are read instead of features.
    most_windows
        Instances of a recording at most, the first ones; None takes all.
    standardise
        Whether columns become z-scores, fitted on training infants; else they stay as they are.
    """

    feature_sets: tuple[str, ...]
    rate_hz: float
    window_s: float
    step_s: float
    predict_step_s: float
    space_dimensions: int | None = None
    centre: bool = False
    pixels: bool = False
    most_windows: int | None = None
    standardise: bool = True

    @property
    def window_frames(self) -> int:
        """Length of an instance at the model's rate."""
        return round(self.window_s * self.rate_hz)

    def step_frames(self, training: bool) -> int:
        """Distance between the starts of instances at the model's rate."""
        step_s = self.step_s if training else self.predict_step_s
        return max(round(step_s * self.rate_hz), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "feature_sets": list(self.feature_sets)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InputSpec:
        """Read what :meth:`to_dict` gave."""
        return cls(**{**values, "feature_sets": tuple(values["feature_sets"])})


@dataclass(frozen=True)
class Series:
    """One recording's features at a model's rate.

    Parameters
    ----------
    recording, infant, label
        Ids and class; an empty label where unknown.
    values : ndarray of shape (frame, feature)
        float32; NaN is missing.
    names
        One a feature, with the feature set's name before a slash.
    start_s
        Time of frame 0 in the recording.
    rate_hz
        Frame rate.
    mirrored : ndarray of shape (frame, feature), optional
        The same with left and right exchanged.
    units
        Units of each feature set, in the order of the model's.
    info : ndarray of shape (value,), optional
        The infant's characteristics (:mod:`fidgety.datasets.characteristics`).
    clips
        Of a model of pictures: its frames are fields of flow, and ``values`` has no column.
    """

    recording: str
    infant: str
    label: str
    values: NDArray[np.float32]
    names: tuple[str, ...]
    start_s: float
    rate_hz: float
    mirrored: NDArray[np.float32] | None = None
    units: tuple[str, ...] = ()
    info: NDArray[np.float64] | None = None
    clips: PixelClips | None = None

    def window(self, start: int, stop: int, mirrored: bool = False) -> NDArray[np.float32]:
        """Return an instance or a longer stretch, of shape (frame, feature).

        Of pictures: one clip of shape (channel, row, column).
        """
        if self.clips is not None:
            return self.clips.read(start, stop, mirrored)
        values = self.mirrored if mirrored else self.values
        if values is None:
            raise ValueError(f"recording {self.recording} was loaded without its mirror image")
        return values[start:stop]

    @property
    def complete(self) -> NDArray[np.bool_]:
        """For each frame whether no value is missing."""
        return np.asarray(np.isfinite(self.values).all(axis=1))

    def second(self, frame: int) -> float:
        """Return a frame's time in the recording."""
        return self.start_s + frame / self.rate_hz


def resample(
    values: NDArray[np.floating], time_s: NDArray[np.floating], rate_hz: float
) -> NDArray[np.float32]:
    """Resample a series to a constant rate, from its first time stamp on.

    Linear between two neighbouring frames that both have a value and are no gap apart
    (:data:`GAP_INTERVALS` median intervals); missing otherwise. Where a grid time meets a time
    stamp, the frame's value stands unchanged, so a series that has the rate already is returned
    as it is.

    Parameters
    ----------
    values : ndarray of shape (frame, feature)
        NaN is missing.
    time_s : ndarray of shape (frame,)
        Increasing time stamps, seconds.
    rate_hz
        Rate wanted.

    Returns
    -------
    ndarray of shape (new frame, feature), float32
    """
    time = np.asarray(time_s, dtype=np.float64)
    if len(time) < 2:
        return np.asarray(values, dtype=np.float32)
    interval = float(np.median(np.diff(time)))
    last = int(np.floor((time[-1] - time[0]) * rate_hz + EXACT_INTERVALS))
    grid = time[0] + np.arange(last + 1) / rate_hz
    after = np.clip(np.searchsorted(time, grid, side="right"), 1, len(time) - 1)
    before = after - 1
    span = time[after] - time[before]
    weight = np.clip((grid - time[before]) / span, 0.0, 1.0)
    near_before = np.abs(grid - time[before]) <= EXACT_INTERVALS * interval
    near_after = np.abs(grid - time[after]) <= EXACT_INTERVALS * interval
    weight = np.where(near_before, 0.0, np.where(near_after, 1.0, weight))[:, None]
    left = np.where(weight < 1, values[before], 0.0)
    right = np.where(weight > 0, values[after], 0.0)
    out = (1 - weight) * left + weight * right
    out[(span > GAP_INTERVALS * interval) & ~near_before & ~near_after] = np.nan
    return out.astype(np.float32)


def load_series(
    path: str | os.PathLike[str],
    spec: InputSpec,
    *,
    recording: str,
    infant: str,
    label: str = "",
    mirror: bool = False,
) -> Series:
    """Read a recording's features as a model wants them.

    Parameters
    ----------
    path
        Features file.
    spec
        What the model reads.
    recording, infant, label
        Kept with the series.
    mirror
        Also keep the series with left and right exchanged.

    Raises
    ------
    NotAssessable
        The reason that the file records; ``feature_unavailable`` if a set is missing or the sets
        have different time stamps.
    ConfigError
        If crops are of another rate than the model reads.
    """
    if spec.pixels:
        clips = PixelClips(path, spec.rate_hz)
        return Series(
            recording=recording,
            infant=infant,
            label=label,
            values=np.empty((clips.n_fields, 0), dtype=np.float32),
            names=(),
            start_s=clips.start_s,
            rate_hz=spec.rate_hz,
            clips=clips,
        )
    columns, mirrored, names, units = [], [], [], []
    time_s: NDArray[np.floating] | None = None
    for name in spec.feature_sets:
        features = read_feature_set(path, name)
        own_time = np.asarray(features.time_s, dtype=np.float64)
        if time_s is None:
            time_s = own_time
        elif len(time_s) != len(own_time) or not np.allclose(time_s, own_time, atol=1e-6):
            raise NotAssessable(
                Reason.FEATURE_UNAVAILABLE,
                f"{spec.feature_sets[0]} has {len(time_s)} frames and {name} {len(own_time)}, "
                "or their time stamps differ: they cannot stand side by side",
            )
        units.append(features.units)
        columns.append(resample(features.values, own_time, spec.rate_hz))
        if mirror:
            other = mirror_features(features.values, features.names)
            mirrored.append(resample(other, own_time, spec.rate_hz))
        names += [f"{name}/{column}" for column in features.names]
    assert time_s is not None
    whole = np.concatenate(columns, axis=1)
    flipped = np.concatenate(mirrored, axis=1) if mirror else None
    if spec.centre:
        whole = centred(whole)
        flipped = None if flipped is None else centred(flipped)
    return Series(
        recording=recording,
        infant=infant,
        label=label,
        values=whole,
        names=tuple(names),
        start_s=float(time_s[0]) if len(time_s) else 0.0,
        rate_hz=spec.rate_hz,
        mirrored=flipped,
        units=tuple(units),
    )


def without_video() -> NotAssessable:
    """Return why a model of pictures cannot judge a recording that came as tracks."""
    return NotAssessable(
        Reason.FEATURE_UNAVAILABLE, "the model looks at pictures, and the recording has no video"
    )


def require_units(series: Series, units: tuple[str, ...], feature_sets: tuple[str, ...]) -> None:
    """Refuse features in other units than a model's: its scaling is that of its own.

    Raises
    ------
    NotAssessable
        With ``units_mismatch``, naming the feature set and both units.
    """
    for name, own, wanted in zip(feature_sets, series.units, units, strict=True):
        if own != wanted:
            raise NotAssessable(
                Reason.UNITS_MISMATCH, f"{name} is in {own!r}, the model learned from {wanted!r}"
            )


def take_features(series: Series, names: tuple[str, ...]) -> Series:
    """Return the series with a model's features alone, in its order.

    Raises
    ------
    NotAssessable
        With ``feature_unavailable``, naming the features that the recording lacks.
    """
    if series.names == names:
        return series
    place = {name: k for k, name in enumerate(series.names)}
    lacking = [name for name in names if name not in place]
    if lacking:
        raise NotAssessable(
            Reason.FEATURE_UNAVAILABLE, f"the model learned from {', '.join(lacking)} too"
        )
    columns = np.array([place[name] for name in names], dtype=np.intp)
    mirrored = None if series.mirrored is None else series.mirrored[:, columns]
    return replace(series, names=names, values=series.values[:, columns], mirrored=mirrored)


def centred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract every column's mean over the frames that have it."""
    count = np.isfinite(values).sum(axis=0)
    mean = np.nansum(values, axis=0, dtype=np.float64) / np.maximum(count, 1)
    return (values - mean).astype(np.float32)


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of every feature (z-scores: Kaur 2025; Gao 2023).

    Parameters
    ----------
    mean, sd : ndarray of shape (feature,)
        float64; a constant feature has the standard deviation 1, so that it becomes 0.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        spec: InputSpec,
        series: Sequence[Series],
        values: Iterable[NDArray[np.float32]] | None = None,
    ) -> Standardisation:
        """Fit as a model's inputs say, on its training infants' recordings (one at least).

        Where they are to stay as they are, nothing is subtracted and the divisor is 1. ``values``
        are the frames to fit on, where these are not all.
        """
        if not spec.standardise:
            n_features = series[0].values.shape[1]
            return cls(np.zeros(n_features), np.ones(n_features))
        values = (s.values for s in series) if values is None else values
        return cls.fit(values, spec.space_dimensions, len(spec.feature_sets))

    @classmethod
    def fit(
        cls,
        series: Iterable[NDArray[np.float32]],
        space_dimensions: int | None = None,
        sets: int = 1,
    ) -> Standardisation:
        """Fit on the values of training recordings; missing values are left out.

        Parameters
        ----------
        series : iterable of ndarray of shape (frame, feature)
            Those of the training infants, and of nobody else.
        space_dimensions
            As in :class:`InputSpec`.
        sets
            Number of feature sets side by side, which are never pooled with each other.
        """
        count = total = square = None
        parts = list(series)  # in double precision one at a time alone
        # Two passes: the mean first, so that the squares do not cancel.
        for part in parts:
            n = np.isfinite(part).sum(axis=0)
            s = np.nansum(np.asarray(part, dtype=np.float64), axis=0)
            count = n if count is None else count + n
            total = s if total is None else total + s
        if count is None or total is None:
            raise ValueError("no series to fit on")
        count, total = (_pool(n, space_dimensions, sets) for n in (count, total))
        mean = total / np.maximum(count, 1)
        for part in parts:
            s = np.nansum((np.asarray(part, dtype=np.float64) - mean) ** 2, axis=0)
            square = s if square is None else square + s
        assert square is not None
        sd = np.sqrt(_pool(square, space_dimensions, sets) / np.maximum(count, 1))
        # A spread at the level of rounding is none: dividing by it would blow up the noise.
        sd[sd <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0
        return cls(mean, sd)

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return z-scores; missing values stay missing."""
        return ((values - self.mean) / self.sd).astype(np.float32)

    def apply_to(self, series: Series) -> Series:
        """Return a standardised series, the mirrored values as well."""
        mirrored = None if series.mirrored is None else self.apply(series.mirrored)
        return replace(series, values=self.apply(series.values), mirrored=mirrored)

    def apply_inside(self, series: Series) -> Series:
        """Standardise a series' own values, where they lie: the raw ones are gone."""
        series.values[...] = self.apply(series.values)
        if series.mirrored is not None:
            series.mirrored[...] = self.apply(series.mirrored)
        return series


def _pool(per_column: NDArray[Any], space_dimensions: int | None, sets: int) -> NDArray[np.float64]:
    """Sum over a set's columns of the same space dimension, and give the sum to each of them."""
    values = per_column.astype(np.float64)
    if space_dimensions is None:
        return values
    by_keypoint = values.reshape(sets, -1, space_dimensions)
    summed = by_keypoint.sum(axis=1, keepdims=True)
    return np.broadcast_to(summed, by_keypoint.shape).reshape(-1)
