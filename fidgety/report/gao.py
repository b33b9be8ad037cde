"""The study of Gao 2023: its tables in text, a page with tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from fidgety.evaluation import fms
from fidgety.evaluation.characteristics import UNITS
from fidgety.evaluation.fms import Contrast, contrast_row
from fidgety.evaluation.records import LABELLED, Assessment
from fidgety.evaluation.tables import fold_values, judged
from fidgety.report import gao_figures as figures
from fidgety.report.flow import Column
from fidgety.report.gao_figures import PLAYER_TEXTS, Example
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import count, grid, interval, number, percent

TITLE = "The study of Gao 2023"
SET_TEXTS = {"development": "Internal cross-validation", "external": "External validation"}
#: Columns of Table 2.
METRICS = {
    "auc": "AUC",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
}
TEST_COLUMNS = ("set", "model", "other", "metric", "n_model", "n_other", "p")
#: The paper's level of significance.
LEVEL = 0.01
LIMITS = (
    "Mean ± SD are over the fold models, as the paper gives them: they tell how much the training "
    "data matter, not how sure a figure is. The intervals are by infant.",
    "The fold models' figures share their training infants: the Mann-Whitney tests between "
    "models, done as the paper does, take them for independent. The smallest p that two models of "
    "5 folds can have is 0.008, of 3 folds 0.1.",
    "Kappa says nothing of an infant in whom both see one thing throughout; such infants are "
    "counted apart.",
    "Contributions share the fused probability among what the model reads. They tell what the "
    "model goes by, not what causes anything.",
)


@dataclass(frozen=True)
class Study:
    """Everything that is told.

    Parameters
    ----------
    model
        The one that is looked at closely.
    ablations, inputs, beside
        Names of models in the order of the tables: of Table 2 and Figure 3b, of Supplementary
        Table 1, of the main line.
    characteristics
        Of :func:`fidgety.evaluation.characteristics.characteristics_table`.
    metrics, infants
        Of :mod:`fidgety.evaluation.tables`.
    tests
        Of :func:`test_table`.
    kappa, kappa_summary, frequency
        Of :mod:`fidgety.evaluation.fms`.
    groups, types
        Contrasts of the model that is looked at closely: by risk, by type.
    contributions, weights
        Of :mod:`fidgety.training.explain`.
    examples
        Of Figure 3a.
    flow
        Who came in, who was left out and why.
    dropped
        Set to the number of infants of whom some models alone have a result: they are left out.
    rater
        Whose intervals the models are compared with.
    confidence, bootstrap, seed
        Of the intervals.
    """

    model: str
    ablations: Sequence[str]
    inputs: Sequence[str]
    beside: Sequence[str]
    characteristics: pd.DataFrame
    metrics: pd.DataFrame
    infants: pd.DataFrame
    tests: pd.DataFrame
    kappa: pd.DataFrame
    kappa_summary: pd.DataFrame
    frequency: pd.DataFrame
    groups: Sequence[Contrast]
    types: Sequence[Contrast]
    contributions: pd.DataFrame
    weights: pd.DataFrame
    examples: Sequence[Example]
    flow: Sequence[Column]
    dropped: Mapping[str, int]
    rater: str
    confidence: float
    bootstrap: int
    seed: int


def test_table(
    records: Sequence[Assessment], model: str, others: Sequence[str], risk: Sequence[str]
) -> pd.DataFrame:
    """Compare the fold models' figures of one model with those of others.

    Mann and Whitney's test, two-sided, as the paper does between MAM and MAM without the branch
    of characteristics.

    Returns
    -------
    DataFrame
        Columns :data:`TEST_COLUMNS`; p is NaN where a model has no figure.
    """
    rows = []
    for role in LABELLED:
        own = fold_values(judged(records, model, role), risk)
        for other in others:
            theirs = fold_values(judged(records, other, role), risk)
            for metric in METRICS:
                a, b = own[metric], theirs[metric]
                p = float("nan")
                if a and b:
                    p = float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
                rows.append((role, model, other, metric, len(a), len(b), p))
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def contrasts_table(study: Study) -> pd.DataFrame:
    """Tabulate the frequencies by group and by type."""
    rows = [contrast_row(study.model, one) for one in (*study.groups, *study.types)]
    return pd.DataFrame(rows, columns=list(fms.CONTRAST_COLUMNS))


def _figure(row: Mapping[str, Any]) -> dict[str, str]:
    """Format a metric: the ensemble's with its interval, and the fold models' mean and SD."""
    between = interval(row["low"], row["high"])
    folds = ""
    if np.isfinite(row["fold_mean"]):
        folds = f"{number(row['fold_mean'], 3)} ± {number(row['fold_sd'], 3)}"
    return {
        "text": number(row["value"], 3),
        "interval": "" if between == "–" else between,
        "folds": folds,
        "n": f"n = {int(row['n'])}",
    }


def _table_two(study: Study, role: str, models: Sequence[str]) -> list[dict[str, Any]]:
    found = {
        (str(r["model"]), str(r["metric"])): _figure({str(k): v for k, v in r.items()})
        for r in study.metrics[study.metrics["set"] == role].to_dict("records")
    }
    rows = []
    for model in models:
        cells = [found.get((model, metric)) for metric in METRICS]
        if any(cells):
            rows.append({"model": model, "cells": cells})
    return rows


def _share(n: float, value: float) -> str:
    return f"{int(n)} ({100 * value:.1f} %)" if np.isfinite(value) else str(int(n))


def table_one(study: Study, role: str) -> list[dict[str, Any]]:
    """Return Table 1 of a set: name, both groups as text, p and its test, how many lack it."""
    rows = []
    for r in study.characteristics[study.characteristics["set"] == role].to_dict("records"):
        name = str(r["characteristic"])
        if name in UNITS:
            digits = 0 if name == "birth_weight_g" else 2
            texts = [
                f"{number(r[side], digits)} ({number(r[f'sd_{side}'], digits)})"
                for side in ("normal", "risk")
            ]
            what = f"{PLAYER_TEXTS[name]} ({UNITS[name]})"
        else:
            texts = [_share(r[f"n_{side}"], r[side]) for side in ("normal", "risk")]
            what = str(r["category"]) if name == "sex" else "infants"
        p = number(r["p"], 3)
        test = f"{r['test']}" if r["test"] else ""
        rows.append(
            {
                "what": what,
                "normal": texts[0],
                "risk": texts[1],
                "p": "" if p == "–" else p,
                "test": test,
                "missing": int(r["missing"]) or "",
            }
        )
    return rows


def _contrast_words(one: Contrast) -> str:
    """Say what a comparison of two groups found."""
    first, second = (fms.spread(v) for v in (one.first_values, one.second_values))
    parts = [
        f"{one.set}: {name}: median {number(s['median'], 3)} "
        f"(quartiles {interval(s['q1'], s['q3'], 3)}, n = {s['n']})"
        for name, s in ((one.first, first), (one.second, second))
    ]
    parts[1] = parts[1].removeprefix(f"{one.set}: ")
    words = "; ".join(parts)
    if np.isfinite(one.p):
        words += f"; Mann-Whitney p = {one.p:.2g}"
    if np.isfinite(one.auc.value):
        between = interval(one.auc.low, one.auc.high, 3)
        words += f"; AUC {number(one.auc.value, 3)} ({between})"
    if np.isfinite(one.accuracy.value):
        between = interval(one.accuracy.low, one.accuracy.high, 3)
        words += (
            f"; accuracy {number(one.accuracy.value, 3)} ({between}) with "
            f"{number(one.threshold, 3)} as the threshold"
        )
    return words + "."


#: What the last columns of the table of kappas are of.
MIXED = (
    "infants in whom the rater sees both; where the rater sees one thing throughout, a single "
    "instance called otherwise makes the kappa 0."
)


def _kappa_rows(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "set": SET_TEXTS[str(r["set"])],
            "model": r["model"],
            "median": number(r["median"], 3),
            "interval": interval(r["low"], r["high"], 3),
            "quartiles": interval(r["q1"], r["q3"], 3),
            "n": int(r["n"]),
            "undefined": int(r["undefined"]),
            "not_rated": int(r["not_rated"]),
            "mixed": number(r["mixed_median"], 3),
            "mixed_interval": interval(r["mixed_low"], r["mixed_high"], 3),
            "mixed_n": int(r["mixed_n"]),
        }
        for r in study.kappa_summary.to_dict("records")
        if str(r["set"]) in SET_TEXTS
    ]


def dropped_words(dropped: Mapping[str, int]) -> str:
    """Say how many infants are not compared because some models alone have a result."""
    if not dropped:
        return "Every infant with a result of one model has one of all."
    parts = ", ".join(f"{n} of {SET_TEXTS[role].lower()}" for role, n in dropped.items())
    return (
        "All models are judged on the same infants: those of whom some models alone have a result "
        f"are left out ({parts})."
    )


def _table_models(study: Study) -> list[str]:
    return [*study.ablations, *study.beside]


def text_table(study: Study, notes: Sequence[str] = ()) -> str:
    """Write the figures as plain text."""
    lines = [TITLE, ""]
    for role, words in SET_TEXTS.items():
        for what, models in (
            ("models", _table_models(study)),
            ("inputs", [study.model, *study.inputs] if study.inputs else []),
        ):
            rows = [
                [
                    row["model"],
                    *(
                        f"{c['text']} ({c['interval']})" if c and c["interval"] else "–"
                        for c in row["cells"]
                    ),
                    next((c["n"].removeprefix("n = ") for c in row["cells"] if c), ""),
                ]
                for row in _table_two(study, role, models)
            ]
            if rows:
                lines += [f"{words}, {what}", *grid(["model", *METRICS.values(), "n"], rows), ""]
    header = ["set", "model", "median kappa", "interval", "quartiles", "n", "one answer", "unrated"]
    header += ["mixed", "interval", "n"]
    rows = [[str(value) for value in row.values()] for row in _kappa_rows(study)]
    if rows:
        lines += [f"Agreement with {study.rater}, infant by infant", *grid(header, rows)]
        lines += [f"mixed: {MIXED}", ""]
    lines += [f"Frequency of fidgety movements by {study.model}"]
    lines += [_contrast_words(one) for one in (*study.groups, *study.types)]
    closing = f"In parentheses: {percent(study.confidence)} intervals by infant."
    lines += ["", closing, dropped_words(study.dropped), *notes]
    return "\n".join(lines) + "\n"


def curve_table(study: Study) -> pd.DataFrame:
    """Tabulate the curve of Figure 3d and its band."""
    return figures.frequency_roc_table(
        study.groups,
        resamples=study.bootstrap,
        confidence=study.confidence,
        seed=study.seed,
    )


def draw_all(study: Study, curve: pd.DataFrame) -> dict[str, str]:
    """Draw every figure: name to SVG.

    Parameters
    ----------
    study
        What is told.
    curve
        Of :func:`curve_table`.
    """
    there = set(study.kappa.loc[np.isfinite(study.kappa["kappa"].astype(float)), "set"])
    role = "external" if "external" in there else "development"
    return {
        "figure-3a": figures.draw_examples(study.examples),
        "figure-3b": figures.draw_kappa(study.kappa, role, _table_models(study)),
        "figure-3c": figures.draw_frequencies(
            study.groups, "No infant has a frequency of fidgety movements."
        ),
        "figure-3d": figures.draw_frequency_roc(study.groups, curve),
        "figure-3e": figures.draw_frequencies(
            study.types, "The sheet tells of no infant whether its movements are continuous."
        ),
        "figure-4a": figures.draw_weights(study.weights),
        "contributions": figures.draw_contributions(study.contributions),
    }


_ALT = {
    "figure-3a": "Instances with and without fidgety movements, to experts and to the model",
    "figure-3b": "Kappa of models with experts, infant by infant",
    "figure-3c": "Frequency of fidgety movements by group",
    "figure-3d": "ROC curve of the frequency of fidgety movements",
    "figure-3e": "Frequency of continuous and of intermittent fidgety movements",
    "figure-4a": "Weight of an instance by its probability of fidgety movements",
    "contributions": "Contributions to the probability of being at risk",
}


def page(
    study: Study,
    drawn: Mapping[str, str],
    curve: pd.DataFrame,
    notes: Sequence[str],
    *,
    phantoms: bool,
) -> str:
    """Write the page.

    Parameters
    ----------
    study
        What is told.
    drawn
        Of :func:`draw_all`.
    curve
        Of :func:`curve_table`.
    notes
        What is not as published.
    phantoms
        Whether the infants are digital phantoms.
    """
    tests = study.tests[np.isfinite(study.tests["p"].astype(float))]
    return render(
        "gao2023.html",
        title=TITLE,
        phantoms=phantoms,
        study=study,
        confidence=percent(study.confidence),
        flow=study.flow,
        metrics=list(METRICS.values()),
        sets=[
            {
                "text": words,
                "characteristics": table_one(study, role),
                "models": _table_two(study, role, _table_models(study)),
                "inputs": _table_two(study, role, [study.model, *study.inputs])
                if study.inputs
                else [],
            }
            for role, words in SET_TEXTS.items()
        ],
        tests=[
            {
                "set": SET_TEXTS[str(r["set"])],
                "other": r["other"],
                "metric": METRICS[str(r["metric"])],
                "p": number(r["p"], 3),
                "below": float(r["p"]) < LEVEL,
            }
            for r in tests.to_dict("records")
        ],
        level=LEVEL,
        kappa=_kappa_rows(study),
        groups=[_contrast_words(one) for one in study.groups],
        types=[_contrast_words(one) for one in study.types],
        figures={
            name: inline(svg, name.replace("-", ""), _ALT[name]) for name, svg in drawn.items()
        },
        examples=count(len(study.examples), "recording"),
        limits_here=LIMITS,
        dropped=dropped_words(study.dropped),
        notes=list(notes),
        downloads=[
            pack(f"gao2023-{name}.tsv", to_tsv(table).encode(), what)
            for name, table, what in (
                ("table-1", study.characteristics, "characteristics by group"),
                ("table-2", study.metrics, "every figure of every model"),
                ("tests", study.tests, "tests between models"),
                ("infants", study.infants, "every infant and model"),
                ("kappa", study.kappa, "agreement with the experts, infant by infant"),
                ("frequency", study.frequency, "frequency of fidgety movements of every infant"),
                ("contrasts", contrasts_table(study), "frequencies by group and by type"),
                ("figure-3a", figures.examples_table(study.examples), "instances of the examples"),
                ("figure-3d", curve, "ROC curve of the frequency, and its band"),
                ("contributions", study.contributions, "contributions to every probability"),
                ("figure-4a", study.weights, "weights by probability"),
            )
        ],
    )
