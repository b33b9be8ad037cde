"""The description of a study in words: its Table 1, frequencies of FMs, quality of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import Reason
from fidgety.evaluation.records import EVERYBODY, LOST
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.wording import NOTHING, count, interval, number, percent

#: Characteristic, what it is called, and its decimals where it is measured.
CHARACTERISTICS = {
    "infants": ("Infants", 0),
    "recordings": ("Recordings", 0),
    "recordings_an_infant": ("Recordings an infant", 0),
    "duration_s": ("Duration of a recording (s)", 0),
    "sex": ("Sex", 0),
    "fm_type": ("Fidgety movements, by the sheet", 0),
    "gestational_age_weeks": ("Gestational age (weeks)", 1),
    "birth_weight_g": ("Birth weight (g)", 0),
    "corrected_age_weeks": ("Corrected age at the first recording (weeks)", 1),
}
#: Measure of quality, what it is called, and its decimals; None: a share, as per cent.
QUALITY = {
    "measured": ("Measured values", None),
    "imputed": ("Imputed values", None),
    "missing": ("Missing values", None),
    "longest_gap_s": ("Longest gap (s)", 1),
    "confidence": ("Median confidence of the pose", 2),
    "fps": ("Frames a second", 1),
    "duration_s": ("Duration (s)", 0),
    "assessable_s": ("Assessable (s)", 0),
}
EVERYBODY_TEXT = "All"
LOST_TEXT = "No recording left"


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _cell(row: Mapping[str, Any], digits: int) -> tuple[str, str]:
    """Write a figure of Table 1, and of how many it is."""
    n = int(row["n"])
    note = [f"n = {count(n, 'recording') if row['unit'] == 'recording' else n}"]
    if int(row["missing"]):
        note.append(f"{int(row['missing'])} missing")
    if np.isfinite(row["count"]):
        counted = str(int(row["count"]))
        if row["characteristic"] in ("infants", "recordings"):
            return counted, ""
        share = f" ({percent(row['share'])})" if np.isfinite(row["share"]) else ""
        return f"{counted}{share}", ", ".join(note)
    if not np.isfinite(row["median"]):
        return NOTHING, ", ".join(note)
    quartiles = interval(row["q1"], row["q3"], digits)
    return f"{number(row['median'], digits)} [{quartiles}]", ", ".join(note)


def table_one(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lay out the cohorts' characteristics: a table a set, a column a label.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.cohort_table`.
    """
    # A file that was read has no empty text, but no value.
    table = table.fillna({"category": ""})
    sets = []
    for role in dict.fromkeys(table["set"]):
        own = table[table["set"] == role]
        labels = list(dict.fromkeys(own["label"]))
        rows = []
        for name, category in dict.fromkeys(
            zip(own["characteristic"], own["category"], strict=True)
        ):
            what, digits = CHARACTERISTICS[name]
            here = {
                row["label"]: row
                for row in _rows(own[own["characteristic"] == name])
                if row["category"] == category
            }
            rows.append(
                {
                    "what": f"{what}: {category}" if category else what,
                    "cells": [_cell(here[label], digits) for label in labels],
                }
            )
        sets.append(
            {
                "text": ROLE_TEXTS[role],
                "labels": [EVERYBODY_TEXT if one == EVERYBODY else one for one in labels],
                "rows": rows,
            }
        )
    return sets


def frequencies(table: pd.DataFrame) -> list[dict[str, str]]:
    """Lay out the frequency of fidgety movements, a row a set, model and label.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.frequency_table`.
    """
    return [
        {
            "set": ROLE_TEXTS[row["set"]],
            "model": row["model"],
            "label": row["label"],
            "n": str(int(row["n"])),
            "median": number(row["median"]),
            "quartiles": interval(row["q1"], row["q3"]),
            "interval": interval(row["low"], row["high"]),
            "auc": number(row["auc"]),
            "auc_interval": interval(row["auc_low"], row["auc_high"]),
            "auc_n": str(int(row["auc_n"])),
        }
        for row in _rows(table)
    ]


def quality_text(value: float, digits: int | None) -> str:
    """Write a measure of :data:`QUALITY` with its decimals, a share as per cent."""
    return percent(value) if digits is None else number(value, digits)


def quality(table: pd.DataFrame) -> list[dict[str, str]]:
    """Lay out how good recordings are, a row a set and measure.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.quality_table`.
    """
    rows = []
    for row in _rows(table):
        what, digits = QUALITY[row["measure"]]
        texts = {
            k: quality_text(float(row[k]), digits)
            for k in ("median", "q1", "q3", "lowest", "highest")
        }
        rows.append(
            {
                "set": ROLE_TEXTS[row["set"]],
                "what": what,
                "n": str(int(row["n"])),
                "missing": str(int(row["missing"])),
                "median": texts["median"],
                "quartiles": f"{texts['q1']} to {texts['q3']}",
                "range": f"{texts['lowest']} to {texts['highest']}",
            }
        )
    return rows


def reason_text(code: str) -> str:
    """Return the sentence of a reason, or of :data:`LOST`; a code of another version as it is."""
    if code == LOST:
        return LOST_TEXT
    known = {r.value for r in Reason}
    return Reason(code).text if code in known else code


def reasons(table: pd.DataFrame) -> list[dict[str, str]]:
    """Lay out why recordings could not be assessed, a row a set and reason.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.reason_table`.
    """
    return [
        {
            "set": ROLE_TEXTS[row["set"]],
            "reason": reason_text(str(row["reason"])),
            "recordings": f"{int(row['recordings'])} of {int(row['all_recordings'])}",
            "infants": f"{int(row['infants'])} of {int(row['n'])}",
            "share": percent(row["share"]),
            "interval": f"{percent(row['low'])} to {percent(row['high'])}",
        }
        for row in _rows(table)
    ]
