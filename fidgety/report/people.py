"""Whom a study is about, counted from its cohort tables, in words for the methods."""

from __future__ import annotations

import pandas as pd

from fidgety.errors import Status
from fidgety.evaluation.records import LABELLED, ROLES
from fidgety.phantom.names import is_phantom
from fidgety.report.wording import count

_SETS = {
    "development": "to develop on",
    "external": "to test on",
    "new": "to assess",
    "reference": "with annotated clips",
}


def _labels(own: pd.DataFrame) -> str:
    """Return the infants of each label, the largest group first."""
    found = own.drop_duplicates("infant")["label"].replace("", "no label").value_counts()
    return ", ".join(f"{label} {n}" for label, n in sorted(found.items(), key=lambda x: -x[1]))


def _set(role: str, own: pd.DataFrame) -> str:
    """Describe the infants of one role."""
    infants = own["infant"].nunique()
    text = f"{count(infants, 'infant')} {_SETS[role]}"
    if role in LABELLED and "label" in own:
        text += f" ({_labels(own)})"
    assessed = int((own["status"] == Status.OK.value).sum())
    recordings = count(len(own), "recording")
    text += f" with {recordings}"
    if assessed < len(own):
        text += f", of which {assessed} could be assessed"
    sites = sorted({site for site in own["site"] if site}) if "site" in own else []
    return f"{text}, of {count(len(sites), 'site')}" if sites else text


def n_phantoms(cohort: pd.DataFrame) -> int:
    """Count the infants of cohort tables that are digital phantoms."""
    return int(cohort.loc[cohort["cohort"].map(is_phantom).astype(bool), "infant"].nunique())


def people(cohort: pd.DataFrame) -> str:
    """Describe the infants of a study in sentences: how many, of which labels, which phantoms.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`, values as text.
    """
    roles = [role for role in ROLES if (cohort["role"] == role).any()]
    if not roles:
        return "No infant was included."
    sets = "; ".join(_set(role, cohort[cohort["role"] == role]) for role in roles)
    phantoms = n_phantoms(cohort)
    every = cohort["infant"].nunique()
    if not phantoms:
        return f"The study has {sets}."
    whom = "All of them are" if phantoms == every else f"{phantoms} of {every} infants are"
    return (
        f"The study has {sets}. {whom} digital phantoms: films of made-up infants with a known "
        "movement, rendered by fidgety. Figures of phantoms say nothing about infants."
    )


def placed_by_hand(cohort: pd.DataFrame) -> int:
    """Count the recordings that could be assessed with keypoints that were placed by hand."""
    if "manual" not in cohort.columns:
        return 0
    used = cohort[cohort["status"] == Status.OK.value]
    return int((pd.to_numeric(used["manual"], errors="coerce") > 0).sum())
