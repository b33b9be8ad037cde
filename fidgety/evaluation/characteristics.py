"""Whom a study is about: the infants' characteristics by group (Gao 2023, Table 1).

Sex by a chi-square test with Yates' correction, which gives the paper's own p values from its
counts; the others by the t-test where both groups pass Shapiro and Wilk's test of normality, and
by Mann and Whitney's where not. All are two-sided. Every infant counts once, by its first
recording that was used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from fidgety.datasets.characteristics import CHARACTERISTICS, SEXES
from fidgety.errors import Status
from fidgety.evaluation.intervals import NAN
from fidgety.evaluation.records import LABELLED

#: Below this p value of Shapiro and Wilk's test a group is not taken for normal.
NORMALITY = 0.05
COLUMNS = (
    "set", "characteristic", "category", "n_normal", "normal", "sd_normal", "n_risk", "risk",
    "sd_risk", "missing", "p", "test",
)  # fmt: skip
MEASURED = CHARACTERISTICS[1:]
UNITS = {
    "gestational_age_weeks": "weeks",
    "birth_weight_g": "g",
    "corrected_age_weeks": "weeks",
}


def is_normal(values: NDArray[np.float64]) -> bool:
    """Whether Shapiro and Wilk's test lets values pass for normal; few or equal ones never do."""
    if values.size < 3 or np.ptp(values) == 0:
        return False
    return float(stats.shapiro(values).pvalue) >= NORMALITY


def compare_measures(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, str]:
    """Return p and the name of the test that two groups' measures allow."""
    if min(first.size, second.size) < 2:
        return NAN, ""
    if is_normal(first) and is_normal(second):
        return float(stats.ttest_ind(first, second).pvalue), "t-test"
    return float(stats.mannwhitneyu(first, second, alternative="two-sided").pvalue), "Mann-Whitney"


def compare_counts(counts: NDArray[np.int64]) -> tuple[float, str]:
    """Return p of the chi-square test with Yates' correction; NaN where a row or column is 0.

    Parameters
    ----------
    counts : ndarray of shape (2, 2)
    """
    if (counts.sum(axis=0) == 0).any() or (counts.sum(axis=1) == 0).any():
        return NAN, ""
    return float(stats.chi2_contingency(counts, correction=True).pvalue), "chi-square"


def _measures(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in rows:
        return np.empty(0)
    values = pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=np.float64)
    return values[np.isfinite(values)]


def characteristics_table(
    cohort: pd.DataFrame, infants: Sequence[str], risk: Sequence[str]
) -> pd.DataFrame:
    """Tabulate the infants' characteristics by set and side.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    infants
        Whom to count.
    risk
        Classes at risk.

    Returns
    -------
    DataFrame
        Columns :data:`COLUMNS`, first the number of infants. Of a number of infants ``normal``
        and ``risk`` are shares, of a measure means. ``p`` and ``test`` stand in the first row of
        a characteristic.
    """
    used = (cohort["status"] == Status.OK.value) & (cohort["label"] != "")
    known = cohort[used & cohort["infant"].isin(list(infants))].drop_duplicates("infant")
    rows: list[dict[str, Any]] = []
    for role in LABELLED:
        own = known[known["role"] == role]
        if own.empty:
            continue
        risky = own["label"].isin(list(risk))
        rows += _set_rows(role, own[~risky], own[risky])
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _set_rows(role: str, normal: pd.DataFrame, risk: pd.DataFrame) -> list[dict[str, Any]]:
    n = len(normal), len(risk)
    share = n[0] / sum(n)
    rows = [
        _row(role, "infants", "", n, (share, 1 - share)),
        *_sex_rows(role, normal, risk),
    ]
    for name in MEASURED:
        first, second = _measures(normal, name), _measures(risk, name)
        p, test = compare_measures(first, second)
        rows.append(
            _row(role, name, UNITS[name], (first.size, second.size), (_mean(first), _mean(second)))
            | {
                "sd_normal": _sd(first),
                "sd_risk": _sd(second),
                "missing": sum(n) - first.size - second.size,
                "p": p,
                "test": test,
            }
        )
    return rows


def _sex_rows(role: str, normal: pd.DataFrame, risk: pd.DataFrame) -> list[dict[str, Any]]:
    sexes = sorted(SEXES, reverse=True)  # male first, as the paper
    counts = np.array(
        [
            [int((rows["sex"] == sex).sum()) if "sex" in rows else 0 for rows in (normal, risk)]
            for sex in sexes
        ],
        dtype=np.int64,
    )
    p, test = compare_counts(counts)
    known = counts.sum(axis=0)
    found = []
    for k, sex in enumerate(sexes):
        shares = [c / n if n else NAN for c, n in zip(counts[k], known, strict=True)]
        row = _row(role, "sex", sex, (int(counts[k, 0]), int(counts[k, 1])), tuple(shares))
        if k == 0:
            row |= {"p": p, "test": test, "missing": len(normal) + len(risk) - int(known.sum())}
        found.append(row)
    return found


def _row(
    role: str, characteristic: str, category: str, n: tuple[int, ...], values: tuple[float, ...]
) -> dict[str, Any]:
    return {
        "set": role,
        "characteristic": characteristic,
        "category": category,
        "n_normal": n[0],
        "normal": values[0],
        "sd_normal": NAN,
        "n_risk": n[1],
        "risk": values[1],
        "sd_risk": NAN,
        "missing": 0,
        "p": NAN,
        "test": "",
    }


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else NAN


def _sd(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else NAN
