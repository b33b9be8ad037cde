"""What came of a reading study: tables of agreement and accuracy, the figure, the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from fidgety.evaluation.fms import HALF, fm_probability
from fidgety.evaluation.plots import COLOURS, draw_words, figure, to_svg
from fidgety.reading.agreement import (
    AGREEMENT_COLUMNS,
    ALL,
    VERDICTS,
    Answers,
    agreement_rows,
    answers_of,
    by_second,
    mos_rows,
    sequences,
)
from fidgety.reading.plan import Key
from fidgety.reading.returned import rater_name
from fidgety.reading.texts import CONTRADICTIONS, RESULT_TEXTS, TYPES
from fidgety.report.described import reason_clause
from fidgety.report.pages import render
from fidgety.report.plots import inline
from fidgety.report.wording import number
from fidgety.training.results import ModelPrediction

SECONDS = ("yes", "no")
PARTS = ("without help", "with help")


def model_seconds(prediction: ModelPrediction, recording: str, duration_s: float) -> list[str]:
    """Return for every second whether the model sees fidgety movements in it.

    Where instances overlap, their mean probability decides; a second without any is a no.
    """
    middles = np.arange(int(duration_s)) + 0.5
    total, n = np.zeros(middles.size), np.zeros(middles.size)
    spans = zip(
        prediction.recording,
        prediction.start_s,
        prediction.stop_s,
        fm_probability(prediction),
        strict=True,
    )
    for owner, start, stop, probability in spans:
        if owner == recording:
            inside = (middles >= start) & (middles < stop)
            total += probability * inside
            n += inside
    return ["yes" if c and t / c > HALF else "no" for t, c in zip(total, n, strict=True)]


def seconds_of(
    intervals: pd.DataFrame, readings: pd.DataFrame, key: Key, with_help: bool
) -> dict[str, Answers]:
    """Return rater to infant to a yes or no a second, of the recordings that were judged."""
    found: dict[str, dict[str, list[str]]] = {}
    lengths = {one.recording: one.duration_s for one in key.codes.values()}
    fidgety = intervals[intervals["movement"] == "fidgety"]
    judged = readings[(readings["help"] == with_help) & readings["verdict"].isin(list(VERDICTS))]
    for row in judged.to_dict("records"):
        mine = fidgety["rater"] == rater_name(row["rater"], with_help)
        own = fidgety[mine & (fidgety["recording"] == row["recording"])]
        spans = list(zip(own["start_s"], own["end_s"], strict=True))
        answers = by_second(spans, lengths[row["recording"]])
        found.setdefault(str(row["rater"]), {})[str(row["infant"])] = answers
    return dict(found)


def agreement_table(
    readings: pd.DataFrame,
    intervals: pd.DataFrame,
    key: Key,
    models: Mapping[str, ModelPrediction],
    age: str,
    *,
    resamples: int,
    seed: int,
    confidence: float,
) -> pd.DataFrame:
    """Return all kappas, of the readings without help and of those with.

    Parameters
    ----------
    readings, intervals
        As :func:`fidgety.reading.returned.tabulate` gives them.
    key
        Of the study.
    models
        Infant to what the model says, of those with a result.
    age
        Whose types were asked for.
    resamples, seed, confidence
        Of the bootstrap by infant.
    """
    verdicts = {i: ["at_risk" if m.positive else "not_at_risk"] for i, m in models.items()}
    seconds = {
        one.infant: model_seconds(models[one.infant], one.recording, one.duration_s)
        for one in key.codes.values()
        if one.infant in models and models[one.infant].detects_fidgety
    }
    types = tuple(TYPES[age].answers)
    kappas = partial(agreement_rows, resamples=resamples, seed=seed, confidence=confidence)
    rows: list[dict[str, Any]] = []
    for helped in (False, True):
        # Of who was not judged, or not yet, no type counts either.
        judged = (readings["help"] == helped) & readings["verdict"].isin(list(VERDICTS))
        own = readings[judged]
        said = answers_of(own, "verdict", VERDICTS)
        rows += kappas("verdict", helped, said, VERDICTS, model=verdicts)
        rows += kappas("type", helped, answers_of(own, "type", types), types)
        rows += mos_rows(own, helped, resamples=resamples, seed=seed, confidence=confidence)
        if not key.marks:
            continue
        marked = seconds_of(intervals, readings, key, helped)
        rows += kappas("seconds", helped, marked, SECONDS, model=seconds)
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def draw_accuracy(accuracy: pd.DataFrame) -> str:
    """Draw every rater's accuracy without and with help, with its interval (Gao's Figure 4b)."""
    shown = accuracy[
        (accuracy["measure"] == "accuracy") & accuracy["part"].isin(PARTS) & accuracy["n"].gt(0)
    ]
    raters = sorted(set(shown["rater"]) - {ALL}) + [ALL] * (ALL in set(shown["rater"]))
    if not raters:
        return draw_words(RESULT_TEXTS["nobody"])
    with figure(2.0 + 0.9 * len(raters), 3.2) as drawing:
        axes = drawing.axes[0]
        for k, (part, colour, marker) in enumerate(zip(PARTS, COLOURS, "os", strict=False)):
            rows = shown[shown["part"] == part]
            x = np.array([raters.index(r) for r in rows["rater"]]) + 0.2 * (k - 0.5)
            axes.plot(x, rows["value"], marker, color=colour, label=RESULT_TEXTS["parts"][part])
            axes.vlines(x, rows["low"], rows["high"], color=colour)
        axes.set_xticks(range(len(raters)), [RESULT_TEXTS["judges"].get(r, r) for r in raters])
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel(RESULT_TEXTS["measures"]["accuracy"])
        axes.legend(frameon=False, loc="lower right")
        return to_svg(drawing)


def flow(readings: pd.DataFrame, key: Key) -> list[dict[str, Any]]:
    """Return how far every rater got, with the washout that was kept."""
    rows = []
    for sitting in key.sittings:
        mine = (readings["rater"] == sitting.rater) & (readings["period"] == sitting.period)
        own = readings[mine]
        days = own["washout_days"].dropna()
        rows.append(
            {
                "rater": sitting.rater,
                "period": sitting.period,
                "help": sitting.help,
                "read": len(own),
                "planned": len(sitting.codes),
                "judged": int(own["verdict"].isin(list(VERDICTS)).sum()),
                "median_s": float(own["spent_s"].median()) if len(own) else float("nan"),
                "washout_days": float(days.iloc[0]) if len(days) else float("nan"),
                "early": bool(len(own)) and str(own["early"].iloc[0]) == "True",
            }
        )
    return rows


def contradictions(readings: pd.DataFrame) -> list[str]:
    """Return whose judged readings contradict themselves: the type, and the points for it."""
    points = pd.to_numeric(readings["mos_fidgety"]).astype("Int64").astype(str)
    judged = readings["verdict"].isin(list(VERDICTS))
    wrong = [
        bool(fine) and p in CONTRADICTIONS.get(str(kind), ())
        for fine, kind, p in zip(judged, readings["type"], points, strict=True)
    ]
    rows = readings[wrong].to_dict("records")
    return [RESULT_TEXTS["whose"].format_map(row) for row in rows]


def _why(code: str) -> str:
    """Say in words why an infant is not read: the key has its reason code."""
    return str(RESULT_TEXTS["why"].get(code, reason_clause(code)))


def notes(key: Key, readings: pd.DataFrame) -> list[str]:
    """Return what must be known to read the results.

    Parameters
    ----------
    key
        Of the study: it says how the videos looked.
    readings
        As :func:`fidgety.reading.returned.tabulate` gives them.
    """
    shown, words = key.shown, RESULT_TEXTS["shown"]
    sides = {shown.least_side_px, shown.most_side_px}
    size = words["to"].join(str(side) for side in sorted(sides))
    rate = words["limit"].format(kbps=shown.kbps) if shown.kbps else words["no_limit"]
    found = [words["size"].format(size=size, rate=rate), words["faces"][shown.faces]]
    if key.left_out:
        who = "; ".join(f"{infant} ({_why(code)})" for infant, code in sorted(key.left_out.items()))
        found.append(RESULT_TEXTS["left_out"].format(whose=who))
    without, helped = sequences(readings)
    if without + helped:
        said = "unequal" if without and helped else "one_sequence"
        text = RESULT_TEXTS["balanced" if without == helped else said]
        found.append(text.format(without=without, helped=helped))
    if whose := contradictions(readings):
        text = RESULT_TEXTS["contradictions"]
        found.append(text.format(n=len(whose), whose="; ".join(whose)))
    return found


def results_page(
    flow_rows: Sequence[Mapping[str, Any]],
    agreement: pd.DataFrame,
    accuracy: pd.DataFrame,
    svg: str,
    phantoms: bool,
    washout_days: float,
    confidence: float,
    said: Sequence[str],
) -> str:
    """Return the page of the study's results.

    Parameters
    ----------
    flow_rows
        Of :func:`flow`.
    agreement, accuracy
        Tables.
    svg
        Of :func:`draw_accuracy`.
    phantoms
        Whether the infants are digital phantoms.
    washout_days
        Planned.
    confidence
        Of the intervals.
    said
        Of :func:`notes`.
    """

    def records(table: pd.DataFrame) -> Iterable[Mapping[Any, Any]]:
        return table.to_dict("records")

    return render(
        "readings.html",
        phantoms=phantoms,
        flow=flow_rows,
        agreement=records(agreement),
        accuracy=records(accuracy),
        figure=inline(svg, "accuracy", RESULT_TEXTS["figure"]) if svg else Markup(),
        texts=RESULT_TEXTS,
        notes=said,
        washout=RESULT_TEXTS["washout"].format(days=number(washout_days, 0)),
        against=RESULT_TEXTS["against"].format(confidence=f"{100 * confidence:g} %"),
    )
