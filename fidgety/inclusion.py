"""Inclusion criteria: who is in the study (:mod:`fidgety.inclusion_flow` counts the decisions).

Criteria belong to a study, not to the workflow: presets carry those of published ones, and keys
of the configuration win over them. What the sheet says is decided before any job runs; the
duration when the recording has been read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fidgety.config.inclusion import InclusionConfig
from fidgety.config.study import Role
from fidgety.errors import NotAssessable, Outcome, Reason

#: Basic characteristics, by the columns of the sample sheet.
BASICS = ("sex", "gestational_age_weeks", "birth_weight_g", "corrected_age_weeks")

#: Criteria of published studies.
PRESETS: dict[str, InclusionConfig] = {
    "none": InclusionConfig(),
    # Gao 2023, Methods, "Participants": corrected age outside 9 to 20 weeks, missing basic
    # characteristics, videos shorter than 60 s or of poor quality, abnormal FMs.
    "gao2023": InclusionConfig(
        preset="gao2023",
        corrected_age_weeks=(9.0, 20.0),
        min_duration_s=60.0,
        require=BASICS,
        exclude_fm_types=("abnormal",),
    ),
    # Kaur 2025: the fidgety period, 9 to 20 weeks; neither duration nor type is a criterion.
    "kaur2025": InclusionConfig(preset="kaur2025", corrected_age_weeks=(9.0, 20.0)),
    # Hashimoto 2022: writhing and fidgety age both; twelve clips, one every 150 frames at 30
    # frames a second, the last one 30 frames long: 56 s.
    "hashimoto2022": InclusionConfig(preset="hashimoto2022", min_duration_s=56.0),
}


def criteria(inclusion: InclusionConfig) -> InclusionConfig:
    """Merge the preset with the keys that are given beside it."""
    preset = PRESETS[inclusion.preset]
    given = {
        name: value
        for name in InclusionConfig.model_fields
        if name != "preset" and (value := getattr(inclusion, name)) is not None
    }
    return preset.model_copy(update=given)


@dataclass(frozen=True)
class Decision:
    """Whether a recording is in the study.

    Parameters
    ----------
    criterion
        Key of the configuration's ``inclusion`` that it does not meet; empty if it is in.
    detail
        What was found, with figures.
    """

    criterion: str = ""
    detail: str = ""

    @property
    def included(self) -> bool:
        """Whether every criterion that could be judged is met."""
        return not self.criterion

    @property
    def outcome(self) -> Outcome:
        """The decision as a record's status."""
        if self.included:
            return Outcome()
        return Outcome.of(NotAssessable(Reason.EXCLUDED, self.detail))


class HasCharacteristics(Protocol):
    """What a decision looks at: a row of the sample sheet."""

    @property
    def role(self) -> Role:
        """Role of its cohort."""
        ...

    @property
    def corrected_age_weeks(self) -> float | None:
        """Corrected age at the recording."""
        ...


def duration_decision(inclusion: InclusionConfig, duration_s: float) -> Decision:
    """Decide by the length of a recording alone: what the sheet does not know."""
    shortest = criteria(inclusion).min_duration_s
    # Durations are sums of frames: a tenth of a millisecond is no difference.
    if shortest is not None and duration_s < shortest - 1e-4:
        return Decision(
            "min_duration_s", f"{duration_s:.1f} s long, at least {shortest:g} s are needed"
        )
    return Decision()


def inclusion_decision(
    recording: HasCharacteristics, inclusion: InclusionConfig, duration_s: float | None = None
) -> Decision:
    """Decide whether a recording is in the study, and by which criterion it is not.

    Criteria are tried in the order missing characteristics, age, type of fidgety movements,
    duration; the first that is not met is named. What is not known does not exclude, unless
    it is required.

    Parameters
    ----------
    recording
        Row of the sample sheet. Required characteristics are not asked of ``reference``
        recordings: their clips train the encoder of the movement alone (Gao 2023 takes them
        from the infants excluded for that).
    inclusion
        Section of the configuration.
    duration_s
        Length of the recording; None before it is known.
    """
    wanted = criteria(inclusion)
    if recording.role is not Role.REFERENCE:
        missing = [c for c in wanted.require or () if getattr(recording, c, None) is None]
        if missing:
            return Decision("require", f"missing: {', '.join(missing)}")
    age = recording.corrected_age_weeks
    if wanted.corrected_age_weeks is not None and age is not None:
        low, high = wanted.corrected_age_weeks
        if not low <= age <= high:
            return Decision(
                "corrected_age_weeks",
                f"corrected age {age:g} weeks, outside {low:g} to {high:g} weeks",
            )
    fm_type = getattr(recording, "fm_type", None)
    if fm_type is not None and str(fm_type) in (wanted.exclude_fm_types or ()):
        return Decision("exclude_fm_types", f"{fm_type} fidgety movements")
    if duration_s is not None:
        return duration_decision(inclusion, duration_s)
    return Decision()


CRITERION_TEXTS = {
    "require": "missing characteristics",
    "corrected_age_weeks": "corrected age outside the window",
    "exclude_fm_types": "excluded type of fidgety movements",
    "min_duration_s": "recording too short",
}
