"""The description of a study in words: its Table 1, frequencies of FMs, quality of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import Reason
from fidgety.evaluation.records import EVERYBODY, LOST
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.language import mark, translate
from fidgety.report.wording import NOTHING, count, interval, number, percent

#: Characteristic, what it is called, and its decimals where it is measured.
CHARACTERISTICS = {
    "infants": (mark("Infants"), 0),
    "recordings": (mark("Recordings"), 0),
    "recordings_an_infant": (mark("Recordings an infant"), 0),
    "duration_s": (mark("Duration of a recording (s)"), 0),
    "sex": (mark("Sex"), 0),
    "fm_type": (mark("Fidgety movements, by the sheet"), 0),
    "gestational_age_weeks": (mark("Gestational age (weeks)"), 1),
    "birth_weight_g": (mark("Birth weight (g)"), 0),
    "corrected_age_weeks": (mark("Corrected age at the first recording (weeks)"), 1),
}
#: Measure of quality, what it is called, and its decimals; None: a share, as per cent.
QUALITY = {
    "measured": (mark("Measured values"), None),
    "imputed": (mark("Imputed values"), None),
    "missing": (mark("Missing values"), None),
    "longest_gap_s": (mark("Longest gap (s)"), 1),
    "confidence": (mark("Median confidence of the pose"), 2),
    "fps": (mark("Frames a second"), 1),
    "duration_s": (mark("Duration (s)"), 0),
    "assessable_s": (mark("Assessable (s)"), 0),
}
EVERYBODY_TEXT = mark("All")
LOST_TEXT = mark("No recording left")


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _cell(row: Mapping[str, Any], digits: int) -> tuple[str, str]:
    """Write a figure of Table 1, and of how many it is."""
    n = int(row["n"])
    note = [translate("n = %(n)s", n=count(n, "recording") if row["unit"] == "recording" else n)]
    if int(row["missing"]):
        note.append(translate("%(n)s missing", n=int(row["missing"])))
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
            text, digits = CHARACTERISTICS[name]
            what = translate(text)
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
                "labels": [
                    translate(EVERYBODY_TEXT) if one == EVERYBODY else one for one in labels
                ],
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


def _span(low: str, high: str) -> str:
    return translate("%(low)s to %(high)s", low=low, high=high)


def _share(some: float, everybody: float) -> str:
    return translate("%(some)s of %(all)s", some=int(some), all=int(everybody))


def quality(table: pd.DataFrame) -> list[dict[str, str]]:
    """Lay out how good recordings are, a row a set and measure.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.quality_table`.
    """
    rows = []
    for row in _rows(table):
        text, digits = QUALITY[row["measure"]]
        texts = {
            k: quality_text(float(row[k]), digits)
            for k in ("median", "q1", "q3", "lowest", "highest")
        }
        rows.append(
            {
                "set": ROLE_TEXTS[row["set"]],
                "what": translate(text),
                "n": str(int(row["n"])),
                "missing": str(int(row["missing"])),
                "median": texts["median"],
                "quartiles": _span(texts["q1"], texts["q3"]),
                "range": _span(texts["lowest"], texts["highest"]),
            }
        )
    return rows


def reason_text(code: str) -> str:
    """Return the sentence of a reason, or of :data:`LOST`; a code of another version as it is."""
    if code == LOST:
        return translate(LOST_TEXT)
    known = {r.value for r in Reason}
    return Reason(code).text if code in known else code


def reason_clause(code: str) -> str:
    """Return the sentence of a reason without its full stop, for a list of reasons."""
    return reason_text(code).rstrip(".")


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
            "recordings": _share(row["recordings"], row["all_recordings"]),
            "infants": _share(row["infants"], row["n"]),
            "share": percent(row["share"]),
            "interval": _span(percent(row["low"]), percent(row["high"])),
        }
        for row in _rows(table)
    ]
