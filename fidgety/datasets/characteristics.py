"""The infant's characteristics as numbers, for models that read them beside movement (Gao 2023).

Raw values stand with the recording (:attr:`fidgety.datasets.series.Series.info`). They are
standardised with the training infants' means and standard deviations. What is missing is never
filled in silently: the infant is left out with the reason, or, where the configuration says so,
the mean stands in its place and a further value says that it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fidgety.datasets.series import Series
from fidgety.errors import NotAssessable, Reason
from fidgety.inclusion import BASICS

#: As in the sample sheet, in the order of the values.
CHARACTERISTICS = BASICS
SEXES = {"female": 0.0, "male": 1.0}

Missing = Literal["exclude", "impute"]


def encode(row: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return a recording's characteristics as numbers; NaN is missing.

    Parameters
    ----------
    row
        Of the sample sheet.
    """
    values = [SEXES.get(str(row.get("sex") or ""), np.nan)]
    for name in CHARACTERISTICS[1:]:
        value = row.get(name)
        values.append(np.nan if value in (None, "") else float(str(value)))
    return np.array(values, dtype=np.float64)


def with_info(series: Series, rows: Mapping[str, Mapping[str, Any]], missing: Missing) -> Series:
    """Put a recording's characteristics beside its movement.

    Parameters
    ----------
    series
        The recording.
    rows
        Recording to its characteristics.
    missing
        What to do about a missing one.

    Raises
    ------
    NotAssessable
        With ``characteristics_missing``, naming them, if they are to be there.
    """
    info = encode(rows.get(series.recording, {}))
    lacking = [n for n, v in zip(CHARACTERISTICS, info, strict=True) if np.isnan(v)]
    if lacking and missing == "exclude":
        raise NotAssessable(
            Reason.CHARACTERISTICS_MISSING, f"the model reads {', '.join(lacking)} too"
        )
    return replace(series, info=info)


@dataclass(frozen=True)
class InfoScaling:
    """Mean and standard deviation of the characteristics.

    Parameters
    ----------
    mean, sd : ndarray of shape (characteristic,)
        Of the training infants; a constant one has the standard deviation 1.
    flags
        Whether a further value a characteristic says that it is missing.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    flags: bool

    @property
    def width(self) -> int:
        """Number of values that :meth:`apply` gives."""
        return len(self.mean) * (2 if self.flags else 1)

    @classmethod
    def fit(cls, series: Sequence[Series], missing: Missing) -> InfoScaling:
        """Fit on training recordings; every infant counts once."""
        by_infant: dict[str, list[NDArray[np.float64]]] = {}
        for one in series:
            if one.info is not None:
                by_infant.setdefault(one.infant, []).append(one.info)
        values = np.array([_mean(np.array(own)) for own in by_infant.values()])
        mean = np.nan_to_num(_mean(values))
        sd = np.sqrt(np.nan_to_num(_mean((values - mean) ** 2)))
        sd[sd <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0
        return cls(mean, sd, missing == "impute")

    def apply(self, series: Series) -> Series:
        """Return the recording with standardised characteristics, the mean where missing."""
        return series if series.info is None else replace(series, info=self.values(series.info))

    def values(self, info: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardise characteristics, of shape (..., characteristic); the mean where missing."""
        scaled = (info - self.mean) / self.sd
        if not self.flags:
            return np.nan_to_num(scaled)
        return np.concatenate([np.nan_to_num(scaled), np.isnan(scaled).astype(np.float64)], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "names": list(CHARACTERISTICS),
            "mean": self.mean,
            "sd": self.sd,
            "flags": self.flags,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InfoScaling:
        """Read what :meth:`to_dict` gave."""
        return cls(np.array(values["mean"]), np.array(values["sd"]), bool(values["flags"]))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the first axis of what is there; NaN where nothing is."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
