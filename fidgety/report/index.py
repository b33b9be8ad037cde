"""The index page: the whole study on one page."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fidgety.cohort_table import COLUMNS, FINDINGS
from fidgety.config.report import ReportConfig
from fidgety.errors import Reason, Status
from fidgety.evaluation.records import LABEL_COLUMNS, LABELLED, read_cohorts
from fidgety.phantom.names import is_phantom
from fidgety.pose.quality_record import MEASURES
from fidgety.report import cautions, described, plots
from fidgety.report.alternatives import alternatives
from fidgety.report.flow import ROLE_TEXTS, assessed_infants, flow
from fidgety.report.methods import methods
from fidgety.report.pages import Download, pack, relative, render
from fidgety.report.parameters import parameters
from fidgety.report.people import n_phantoms, people, placed_by_hand
from fidgety.report.wording import PHANTOM_BANNER, count, headline, number, percent
from fidgety.sheet import CHARACTERISTICS
from fidgety.text import safe_text

METRIC_TEXTS = {
    "auc": "AUC",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "class_accuracy": "Accuracy over classes",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_f1": "Macro F1",
    "mcc": "Matthews' correlation",
    "class_kappa": "Kappa over classes",
}
#: Figures of single classes: their names end in the class.
CLASS_METRIC_TEXTS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
#: Column of the cohort table, its heading, and whether it is a share.
QUALITY_COLUMNS = (
    ("duration_s", "Duration (s)", False),
    ("measured", "Measured", True),
    ("imputed", "Imputed", True),
    ("corrected", "Corrected", True),
    ("manual", "By hand", True),
    ("missing", "Missing", True),
    ("longest_gap_s", "Longest gap (s)", False),
    ("swaps_undone", "Swaps undone", None),
    ("supine", "From the front", True),
    ("other_person", "Others in view", True),
    ("camera_moving", "Camera moves", True),
    ("still", "Still", True),
    ("fussing", "Fussing suspected", True),
    ("assessable_s", "Assessable (s)", False),
)
#: Columns that stand elsewhere on the page, or are the user's own paths.
_NOT_SHOWN = (
    {name for name, _, _ in QUALITY_COLUMNS} | set(MEASURES) | {"reason_detail", "findings"}
)


#: Columns with the user's own paths.
_PATHS = ("video", "pose")


def shareable(cohort: pd.DataFrame, config: ReportConfig | None = None) -> pd.DataFrame:
    """Return a cohort table without paths and without the labels of new infants.

    Where overlays show the skeleton alone the report is for sharing: of the sheet's columns, free
    text among them, the age is all that is left.
    """
    shown = cohort.drop(columns=[c for c in _PATHS if c in cohort.columns])
    if config is not None and config.overlay == "skeleton":
        kept = {*COLUMNS}.difference(CHARACTERISTICS) | {"corrected_age_weeks"}
        shown = shown[[c for c in shown.columns if c in kept]]
    labels = [c for c in LABEL_COLUMNS if c in shown.columns]
    shown.loc[shown["role"] == "new", labels] = ""
    return shown


def cohort_download(path: str | os.PathLike[str], config: ReportConfig | None = None) -> Download:
    """Pack what may be shared of a cohort table.

    Free text is written so that no spreadsheet takes it for a formula; numbers, which may begin
    with a minus, stay.
    """
    table = shareable(read_cohorts([path]), config)
    for column in table.columns:
        is_number = pd.to_numeric(table[column], errors="coerce").notna()
        table[column] = table[column].where(is_number, table[column].map(safe_text))
    content = table.to_csv(sep="\t", index=False, lineterminator="\n").encode("utf-8")
    return pack(Path(path).name, content, f"cohort table, {Path(path).stem}")


def metric_sets(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Arrange the metrics: one table a set, a row a model, a column a metric."""
    sets = []
    for role in LABELLED:
        own = [m for m in metrics if m["set"] == role]
        present = [m for m in METRIC_TEXTS if any(row["metric"] == m for row in own)]
        rows = []
        for model in dict.fromkeys(row["model"] for row in own):
            by_metric = {row["metric"]: row for row in own if row["model"] == model}
            rows.append({"model": model, "cells": [by_metric.get(m) for m in present]})
        sets.append(
            {
                "by_class": _by_class(own),
                "class_metrics": list(CLASS_METRIC_TEXTS.values()),
                "text": ROLE_TEXTS[role],
                "share": _share_at_risk(own),
                # Every infant has a score of its own fold's model only: the set pools them.
                "pooled": role == "development",
                "metrics": [{"text": METRIC_TEXTS[m]} for m in present],
                "rows": rows,
                "folds": [
                    {**row, "metric": METRIC_TEXTS[row["metric"]]}
                    for row in own
                    if row["folds"] and row["metric"] in METRIC_TEXTS
                ],
            }
        )
    return sets


def _share_at_risk(own: Sequence[Mapping[str, Any]]) -> str:
    """Return a set's share of infants at risk, at which its predictive values hold."""
    first = [row for row in own if row["model"] == own[0]["model"]]
    n = {str(row["metric"]): int(row["n"]) for row in first}
    if not n.get("accuracy") or "sensitivity" not in n:
        return ""
    return f"{percent(n['sensitivity'] / n['accuracy'])} (of {n['accuracy']})"


def _by_class(own: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a model and class, where there are more than two classes."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in own:
        figure, _, name = str(row["metric"]).partition("_")
        if name and figure in CLASS_METRIC_TEXTS:
            found.setdefault((str(row["model"]), name), {})[figure] = row
    return [
        {"model": model, "name": name, "cells": [cells.get(m) for m in CLASS_METRIC_TEXTS]}
        for (model, name), cells in found.items()
    ]


def _curve_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[list[str]]:
    """Return a curve's points as text, names and numbers as they are and the others to 0.01."""
    shown = table.reindex(columns=list(columns))
    return [
        [number(value) if isinstance(value, float) else str(value) for value in row]
        for row in shown.itertuples(index=False)
    ]


#: Columns of the curves' tables on the page.
CURVE_COLUMNS = {
    "calibration": ("set", "model", "predicted", "observed", "low", "high", "n"),
    "benefit": ("set", "model", "threshold", "net_benefit", "low", "high", "n"),
}


def _infant_row(
    row: Mapping[Any, Any],
    links: Mapping[str, str],
    risk: Sequence[str],
    own: pd.DataFrame,
    learned: Mapping[str, Any],
) -> Any:
    """Return what stands in an infant's row; ``own`` are its rows of the cohort tables."""
    phantom = bool(own["cohort"].map(is_phantom).any())
    ages = pd.to_numeric(own.get("corrected_age_weeks", pd.Series(dtype=str)), errors="coerce")
    if row["status"] != Status.OK.value:
        reason = Reason(row["reason"]).text if row["reason"] else "No reason was recorded."
        words = f"Not assessable. {reason}" + (
            f" ({row['reason_detail']})" if row["reason_detail"] else ""
        )
    else:
        decision = {"at risk": True, "not at risk": False}.get(row["decision"])
        words = headline(decision, int(row["votes"]), int(row["folds"]), risk)[0]
        if caution := cautions.learned_from_phantoms(learned, phantom):
            words = caution.void
    several = row["folds"] not in ("", "0", "1")
    return {
        **row,
        "href": links.get(row["infant"], ""),
        "words": words,
        "several": several,
        "phantom": phantom,
        "age_weeks": float(ages.min()) if ages.notna().any() else "",
    }


def phantom_words(cohort: pd.DataFrame, learned: Mapping[str, Any]) -> str:
    """Say how many infants of a report are phantoms, and what the models learned from.

    Parameters
    ----------
    cohort
        All cohort tables.
    learned
        Number of ``infants`` that the models learned from, and of ``phantoms`` among them.
    """
    phantoms = n_phantoms(cohort)
    infants = cohort["infant"].nunique()
    if not phantoms and not learned.get("phantoms"):
        return ""
    if phantoms == infants:
        return PHANTOM_BANNER
    words = f"{phantoms} of the {infants} infants are digital phantoms." if phantoms else ""
    if learned.get("phantoms"):
        words += (
            f" The models learned from {count(int(learned['infants']), 'infant')}, "
            f"{learned['phantoms']} of them digital phantoms: what they say of an infant means "
            "nothing."
        )
    return words.strip()


def _with_findings(cohort: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the recordings about which something is odd, whether they are assessed or not."""
    if FINDINGS not in cohort.columns:
        return []
    return cohort[cohort[FINDINGS] != ""].to_dict("records")


def _quality_cell(value: str, share: bool | None) -> tuple[str, str]:
    if value == "":
        return "", "–"
    if share is None:
        return value, value
    return value, percent(value) if share else number(value, 1)


def _became(row: Mapping[str, Any]) -> dict[str, Any]:
    """Lay out what became of a model's infants, reasons in words."""
    reasons = {described.reason_clause(code): n for code, n in row["without_result"].items()}
    return {**row, "without_result": reasons, "labelled": row["role"] in LABELLED}


def index_page(
    summary: Mapping[str, Any],
    infants: pd.DataFrame,
    cohort: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, str],
    pages: Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    study: Mapping[str, Any],
    versions: Mapping[str, str],
    downloads: Sequence[Download],
    config: ReportConfig,
    imported: int = 0,
    estimated: int = 1,
    bundle: Mapping[str, Any] | None = None,
    learned: Mapping[str, Any] | None = None,
) -> str:
    """Write the index page as HTML.

    Parameters
    ----------
    summary
        Of the evaluation (schema ``evaluation/1``).
    infants
        The evaluation's table of infants, values as text.
    cohort
        All cohort tables, values as text.
    tables
        ``characteristics``, ``frequency``, ``quality`` and ``reasons``, of
        :mod:`fidgety.evaluation.description`; ``calibration`` and ``benefit``, the curves' points.
    figures
        :data:`fidgety.report.alternatives.FIGURES`: SVG.
    pages
        Infants' pages, named by infant.
    index
        Where the page will be.
    study
        The whole configuration.
    versions
        Of the software.
    downloads
        Files to offer.
    config
        Title.
    imported, estimated
        Numbers of recordings with another program's tracks, and with an estimated pose.
    bundle
        What is to be said of the bundle that the models came in, if they did.
    learned
        Number of ``infants`` that the models learned from, and of ``phantoms`` among them.
    """
    learned = learned or {}
    by_infant = dict(tuple(cohort.groupby("infant")))
    nobody = cohort.iloc[:0]
    risk = [str(c["name"]) for c in summary["classes"] if c["at_risk"]]
    links = {Path(p).stem: relative(p, index) for p in pages}
    failed = cohort[cohort["status"] == Status.NOT_ASSESSABLE.value]
    lost = infants[
        (infants["status"] != Status.OK.value) & infants["infant"].isin(assessed_infants(cohort))
    ]
    cohort = shareable(cohort, config)
    columns = [c for c in cohort.columns if c not in _NOT_SHOWN]
    quality = cohort[cohort["status"] == Status.OK.value]
    shown = [q for q in QUALITY_COLUMNS if q[0] in cohort.columns]
    baseline = summary.get("baseline") or {}
    return render(
        "index.html",
        title=config.title,
        phantoms=phantom_words(cohort, learned),
        flow=flow(cohort, infants),
        sets=metric_sets(summary["metrics"]),
        confidence=f"{100 * study['evaluation']['confidence']:g} %",
        baseline=baseline if baseline.get("speed") else None,
        majority=summary.get("majority"),
        accounting=[_became(row) for row in summary["infants"]],
        figures={
            name: plots.inline(figures[name], name, told)
            for name, told in alternatives(summary["metrics"], tables).items()
        },
        curves={
            name: (columns, _curve_rows(tables[name], columns))
            for name, columns in CURVE_COLUMNS.items()
        },
        table_one=described.table_one(tables["characteristics"]),
        frequencies=described.frequencies(tables["frequency"]),
        quality_overview=described.quality(tables["quality"]),
        reasons=described.reasons(tables["reasons"]),
        infants=[
            _infant_row(row, links, risk, by_infant.get(row["infant"], nobody), learned)
            for row in infants.to_dict("records")
        ],
        failures=[row | {"text": Reason(row["reason"]).text} for row in failed.to_dict("records")],
        findings=_with_findings(cohort),
        lost=[row | {"text": Reason(row["reason"]).text} for row in lost.to_dict("records")],
        quality_columns=[(name, text) for name, text, _ in shown],
        quality=[
            {
                "recording": row["recording"],
                "cells": [_quality_cell(row[name], share) for name, _, share in shown],
            }
            for row in quality.to_dict("records")
        ],
        cohort_columns=columns,
        cohort=cohort[columns].to_numpy().tolist(),
        methods=methods(
            study,
            corrected=placed_by_hand(cohort),
            imported=imported,
            estimated=estimated,
            bundle=bundle,
            people=people(cohort),
        ),
        bundle=bundle,
        versions=versions,
        parameters=parameters(study),
        downloads=downloads,
    )
