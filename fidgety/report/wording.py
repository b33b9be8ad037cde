"""What the pages say in words. No verdict stands without its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fidgety.errors import Outcome
from fidgety.evaluation.records import Assessment
from fidgety.training.results import KAUR_NORMAL_SHARE

PHANTOM_BANNER = (
    "These are digital phantoms: the figures prove that the machinery works, nothing about infants."
)
BUNDLED_PHANTOMS = (
    "The models were trained on digital phantoms: they show that the machinery works, and what "
    "they say of an infant means nothing."
)
#: What a model says of where it looked (:attr:`fidgety.report.timeline.Strip.looked`).
LOOKED = {
    "unknown": "this model does not say what it looked at",
    "alike": "uniform: it looked everywhere alike",
    "apart": "by the bars of its own row, of which the highest is where it looked most",
}
WHAT_IT_IS = (
    "A research tool that estimates from video how much an infant's spontaneous movements are "
    "like those of infants at risk in the cohorts it was trained on, with the fidgety movements' "
    "place in the video."
)
WHAT_IT_IS_NOT = (
    "Not a diagnosis and not a medical device. A figure here neither proves nor rules out a "
    "disorder; it needs a trained assessor, the infant's history and follow-up."
)
LIMITS = (
    "A model's estimate for research, not a diagnosis. It holds at best for infants, ages, "
    "cameras and settings like those of the training cohorts."
)
FACES_HIDDEN = (
    "Faces in the picture are hidden: the infant's head is covered (where it is lost the picture "
    "is left out), and all that lies outside the infant's outline is blurred and darkened. "
    "Outline and head are found by machine: a face that touches the infant, or is taken for it, "
    "may stay visible. Look at the whole video before you share it."
)
NO_PICTURE = "Nothing of the picture is shown."
_Tone = Literal["risk", "no-risk", "undecided", "none"]


#: Stands where a figure is undefined.
NOTHING = "–"


def p_text(p: float) -> str:
    """Write a p value; a dash where it is undefined."""
    if not math.isfinite(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | str | None, digits: int = 2) -> str:
    """Format a figure; undefined is a dash."""
    if value is None or value == "":
        return "–"
    x = float(value)
    return f"{x:.{digits}f}" if math.isfinite(x) else "–"


def interval(low: float | str | None, high: float | str | None, digits: int = 2) -> str:
    """Format an interval; undefined is a dash."""
    first, last = number(low, digits), number(high, digits)
    return "–" if "–" in (first, last) else f"{first} to {last}"


def percent(share: float | str | None) -> str:
    """Format a share as per cent."""
    return "–" if number(share) == "–" else f"{100 * float(share or 0):.0f} %"


def count(n: int, one: str, many: str | None = None) -> str:
    """Format a number of things: ``1 infant``, ``2 infants``."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay cells out in columns, the first one to the left and the others to the right."""
    widths = [max(len(r[i]) for r in (header, *rows)) for i in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]


def bundle_words(about: Mapping[str, Any]) -> str:
    """Say where models came from that were not trained here.

    Parameters
    ----------
    about
        Of :meth:`fidgety.bundle.archive.Bundle.about`.
    """
    infants = about["infants"]
    by_class = ", ".join(f"{n} {name}" for name, n in infants.items())
    phantoms = f", of them {about['phantoms']} digital phantoms" if about["phantoms"] else ""
    return (
        f"The models were not trained here: they came as a bundle (identity {about['identity']}, "
        f"made by fidgety {about['version']}), trained on {count(sum(infants.values()), 'infant')} "
        f"({by_class}{phantoms})."
    )


@dataclass(frozen=True)
class Verdict:
    """A model's result in words.

    Parameters
    ----------
    headline
        The result in a few words, never a bare yes or no.
    figures
        Probability, spread over the fold models, threshold.
    explanation
        What stands behind it.
    tone
        For the page's colours, never the only sign.
    """

    headline: str
    figures: str
    explanation: str
    tone: _Tone


def not_assessable(outcome: Outcome) -> str:
    """Say why there is no result."""
    text = outcome.reason.text if outcome.reason else "No reason was recorded."
    return f"{text} ({outcome.detail})" if outcome.detail else text


def threshold_words(folds: int, rule: str | float | None) -> str:
    """Name the threshold of a result by the rule that was really used.

    Parameters
    ----------
    folds
        How many fold models stand behind the result.
    rule
        ``evaluation.threshold``: a rule's name, a number that was fixed in advance, or None
        where it is not known here.
    """
    if isinstance(rule, int | float):
        return f"the threshold, fixed in advance at {rule:g}"
    whose = (
        "the fold model's threshold" if folds == 1 else "the mean of the fold models' thresholds"
    )
    if rule is None:
        return f"{whose} (the Methods on the index page say how they were set)"
    return f"{whose} (chosen on validation infants where a fold had any of both groups, else 0.5)"


def fms_words(frequency: float, called: str, continuous_from: float | str) -> str:
    """Say how frequent fidgety movements are, and what their type is called by that."""
    words = f"Share of instances with fidgety movements: {percent(frequency)}"
    if not called:
        return words + "."
    side = "at or above" if called == "continuous" else "below"
    return f"{words}, so they would be called {called} ({side} {number(continuous_from, 3)})."


def rule_words(normal_share: float, positive: bool, risk_classes: Sequence[str]) -> str:
    """Say what Kaur 2025's infant rule makes of an infant's snippets."""
    group = " or ".join(risk_classes)
    needed = f"{100 * KAUR_NORMAL_SHARE:.0f} %"
    return (
        f"{needed} rule (Kaur 2025): {percent(normal_share)} of the snippets are classed as not "
        f"“{group}”; {'not ' if positive else ''}more than {needed}, so by this rule the movements "
        f"are {'more' if positive else 'less'} like that group."
    )


def verdict(
    record: Assessment, risk_classes: Sequence[str], threshold: str | float | None = None
) -> Verdict:
    """Put one model's result for one infant into words.

    Parameters
    ----------
    record
        The result, or the reason for none.
    risk_classes
        Names of the classes at risk.
    threshold
        How thresholds were set (:func:`threshold_words`).
    """
    if not record.outcome.ok:
        return Verdict("Not assessable", "no figure", not_assessable(record.outcome), "none")
    n, votes = len(record.folds), record.votes
    group = " or ".join(risk_classes)
    spread = (
        f"{n} fold models from {interval(record.low, record.high)}, no confidence interval"
        if n > 1
        else "one fold model"
    )
    figures = (
        f"probability of “{group}” {number(record.probability)} ({spread}), "
        f"threshold {number(record.threshold)}"
    )
    if record.role == "development":
        source = "From the fold model that never saw this infant."
    else:
        source = f"Mean of {count(n, 'fold model')}; {votes} of {n} reach their own threshold."
    words, tone = headline(record.at_risk, votes, n, risk_classes)
    side = "at or above" if record.at_risk else "below"
    explanation = {
        "undecided": f"The probability is {side} the threshold, but take it as undecided."
        if record.at_risk is not None
        else "There is no threshold to compare with.",
        "risk": f"At or above {threshold_words(n, threshold)}.",
        "no-risk": f"Below {threshold_words(n, threshold)}; this does not rule out a disorder.",
        "none": "",
    }[tone]
    return Verdict(words, figures, f"{source} {explanation}", tone)


def headline(
    at_risk: bool | None, votes: int, folds: int, risk_classes: Sequence[str]
) -> tuple[str, _Tone]:
    """Say a decision in a few words.

    Parameters
    ----------
    at_risk
        Decision; None without a threshold.
    votes, folds
        Fold models that reach their own threshold, and how many there are. Fold models that
        disagree make the result undecided.
    risk_classes
        Names of the classes at risk.
    """
    group = " or ".join(risk_classes)
    if at_risk is None:
        return "Undecided: no threshold", "undecided"
    if 0 < votes < folds:
        return f"Undecided: {votes} of {folds} fold models reach their threshold", "undecided"
    if at_risk:
        return f"Movements more like the group “{group}”", "risk"
    return f"Movements less like the group “{group}”", "no-risk"
