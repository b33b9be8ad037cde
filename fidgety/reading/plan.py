"""The plan of a reading study: who reads which recording when, with or without the model's help.

Everything is drawn from one seed, so the same configuration gives the same plan. What links a code
to an infant is the key, which stays with whoever runs the study.

In a crossover half of the raters read with help first (one more without, where their number is
odd). Every rater sees the recordings in an order of their own, in each period a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fidgety.config.reading import ReadingConfig
from fidgety.files import dumps, job_seed

KEY_SCHEMA = "reading-key/2"
PERIODS = (1, 2)


@dataclass(frozen=True)
class Sitting:
    """One rater's reading of all recordings.

    Parameters
    ----------
    rater, period
        Code name, and 1 or 2.
    help
        Whether the model's help is shown.
    codes
        In the order in which the rater sees them.
    """

    rater: str
    period: int
    help: bool
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Coded:
    """What a code stands for.

    Parameters
    ----------
    recording, infant
        Ids in the sheet.
    duration_s
        Length of its video.
    """

    recording: str
    infant: str
    duration_s: float


@dataclass(frozen=True)
class Shown:
    """How the videos of a study look.

    Parameters
    ----------
    faces
        ``hidden`` or ``visible``.
    least_side_px, most_side_px
        Longest side of the smallest video, and of the largest.
    kbps
        Kilobits a second that a video takes at most, None without a limit.
    """

    faces: str
    least_side_px: int
    most_side_px: int
    kbps: int | None = None


@dataclass(frozen=True)
class Key:
    """The plan with its key.

    Parameters
    ----------
    study
        Short checksum of the plan, without which a returned file is not taken.
    sittings
        Two a rater.
    codes
        Code to what it stands for; every sitting has codes of its own.
    washout_days
        Planned days between a rater's periods.
    shown
        How the videos look.
    age
        Of ``fidgety`` or of ``writhing`` movements.
    left_out
        Infant to the reason why it is not read.
    """

    study: str
    sittings: tuple[Sitting, ...]
    codes: Mapping[str, Coded]
    washout_days: float
    shown: Shown
    age: str = "fidgety"
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def marks(self) -> bool:
        """Whether raters mark intervals with fidgety movements: at the age of writhing are none."""
        return self.age == "fidgety"

    def sitting(self, rater: str, period: int) -> Sitting | None:
        """Return a rater's sitting, None where there is none."""
        return next((s for s in self.sittings if (s.rater, s.period) == (rater, period)), None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"schema": KEY_SCHEMA, **asdict(self)}


def read_key(values: Mapping[str, Any]) -> Key:
    """Return the key from what :meth:`Key.as_dict` gave."""
    return Key(
        study=values["study"],
        sittings=tuple(Sitting(**{**s, "codes": tuple(s["codes"])}) for s in values["sittings"]),
        codes={code: Coded(**coded) for code, coded in values["codes"].items()},
        washout_days=values["washout_days"],
        shown=Shown(**values["shown"]),
        age=values["age"],
        left_out=values["left_out"],
    )


def choose_infants(infants: Sequence[str], config: ReadingConfig, seed: int) -> list[str]:
    """Return the infants to read: those asked for, or a sample drawn by the seed."""
    asked = sorted(set(infants) if config.infants is None else set(infants) & set(config.infants))
    if config.sample is None or config.sample >= len(asked):
        return asked
    rng = np.random.default_rng(job_seed(seed, "reading", "sample"))
    return sorted(rng.choice(asked, size=config.sample, replace=False).tolist())


def helped_first(raters: Sequence[str], order: str, seed: int) -> set[str]:
    """Return the raters who read with help in their first period."""
    if order == "first_without":
        return set()
    rng = np.random.default_rng(job_seed(seed, "reading", "crossover"))
    return {raters[k] for k in rng.permutation(len(raters))[: len(raters) // 2]}


def plan_reading(
    recordings: Sequence[Coded], config: ReadingConfig, seed: int, shown: Shown
) -> Key:
    """Deal codes and orders.

    Parameters
    ----------
    recordings
        What is read, in any order.
    config
        Raters, order, washout.
    seed
        Of the configuration.
    shown
        How the videos look.
    """
    known = sorted(recordings, key=lambda one: one.recording)
    # Codes are a sitting's own: what is learned in one cannot be looked up in another.
    whose = [(rater, period) for rater in config.raters for period in PERIODS]
    n_codes = len(whose) * len(known)
    dealt = np.random.default_rng(job_seed(seed, "reading", "codes")).permutation(n_codes)
    width = max(3, len(str(n_codes)))
    codes = {f"{n:0{width}d}": known[k % len(known)] for n, k in enumerate(dealt, 1)}
    own: dict[tuple[str, int], list[str]] = {one: [] for one in whose}
    for code, k in zip(codes, dealt, strict=True):
        own[whose[k // len(known)]].append(code)
    first = helped_first(config.raters, config.order, seed)
    sittings = tuple(
        Sitting(
            rater,
            period,
            (period == 1) == (rater in first),
            tuple(
                np.random.default_rng(job_seed(seed, "reading", rater, str(period)))
                .permutation(own[rater, period])
                .tolist()
            ),
        )
        for rater in config.raters
        for period in PERIODS
    )
    plan = {
        "sittings": [asdict(s) for s in sittings],
        "codes": {c: asdict(v) for c, v in codes.items()},
    }
    study = hashlib.sha256(dumps(plan).encode()).hexdigest()[:16]
    return Key(study, sittings, codes, config.washout_days, shown, config.age)
