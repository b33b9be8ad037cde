"""What has to be said above a result, so that nobody takes it for more than it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fidgety.report.wording import Verdict, count, number

#: Corrected weeks at which fidgety movements are assessed (Einspieler & Prechtl 2005).
FIDGETY_WEEKS = (9.0, 20.0)
#: Parts of the names, and short names, of classes that are told apart at the writhing age: who has
#: them asks about infants younger than the fidgety age, too.
WRITHING_NAMES = ("writh", "repertoire", "cramped", "chaotic")
WRITHING_SHORT = frozenset({"wm", "wms", "pr", "cs", "ch"})
NO_STATEMENT = "No statement about this infant"
OUTSIDE_AGE = "No statement at this age"


@dataclass(frozen=True)
class Caution:
    """A box above the result.

    Parameters
    ----------
    heading
        In a few words.
    text
        What it means.
    void
        Stands in place of every verdict's headline, if the figures mean nothing.
    """

    heading: str
    text: str
    void: str = ""


def learned_from_phantoms(learned: Mapping[str, Any], phantom: bool) -> Caution | None:
    """Say that models which learned from digital phantoms say nothing of an infant.

    Parameters
    ----------
    learned
        ``infants`` that the models learned from, and ``phantoms`` among them.
    phantom
        Whether who is judged is a phantom too.
    """
    phantoms = int(learned.get("phantoms") or 0)
    if phantom or not phantoms:
        return None
    infants = int(learned["infants"])
    whom = "all of them" if phantoms == infants else f"{phantoms} of them"
    return Caution(
        "The models learned from phantoms.",
        f"They learned from {count(infants, 'infant')}, {whom} digital phantoms: what they say of "
        "an infant means nothing. The figures below are what the machinery computed, and show that "
        "it works. Train on infants, or take the models of others.",
        NO_STATEMENT,
    )


def _weeks(rows: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Return the corrected age at every recording, None where it is not known."""
    given = [row.get("corrected_age_weeks") for row in rows]
    return [None if value in (None, "") else float(str(value)) for value in given]


def age_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the corrected age for the page's head."""
    weeks = [w for w in _weeks(rows) if w is not None]
    if not weeks:
        return "corrected age unknown"
    first, last = number(min(weeks), 0), number(max(weeks), 0)
    return f"corrected age {first if first == last else f'{first} to {last}'} weeks"


def asks_writhing(classes: Iterable[str]) -> bool:
    """Tell whether classes are those of the writhing age, which reaches down to birth."""
    names = [name.casefold().replace("_", " ") for name in classes]
    return any(
        name in WRITHING_SHORT or any(part in name for part in WRITHING_NAMES) for name in names
    )


def age(rows: Sequence[Mapping[str, Any]], classes: Iterable[str] = ()) -> Caution | None:
    """Say that a result cannot be read at an infant's age.

    Parameters
    ----------
    rows
        Rows of the sheet of the infant's recordings.
    classes
        Names of the classes that the models tell apart.
    """
    low, high = FIDGETY_WEEKS
    if asks_writhing(classes):
        low = 0.0
    window = f"from {low:g} to {high:g} weeks of corrected age"
    weeks = _weeks(rows)
    outside = [w for w in weeks if w is not None and not low <= w <= high]
    if outside:
        when = " and ".join(f"{w:g}" for w in sorted(set(outside)))
        return Caution(
            "Outside the age that is asked about.",
            f"General movements are assessed here {window}; a recording is of {when} weeks. Before "
            "9 weeks the absence of fidgety movements is normal, and later than 20 they fade: the "
            "figures below cannot be read.",
            OUTSIDE_AGE,
        )
    if None in weeks:
        return Caution(
            "Age unknown.",
            f"General movements are assessed here {window}. Without the infant's age (column "
            "corrected_age_weeks of the sheet) the result cannot be read.",
        )
    return None


def contradiction(verdicts: Iterable[Verdict]) -> Caution | None:
    """Say that models contradict each other."""
    if {"risk", "no-risk"} <= {one.tone for one in verdicts}:
        return Caution("The models disagree.", "Take this infant's result as undecided.")
    return None


def voided(
    verdicts: Sequence[tuple[str, Verdict]], found: Sequence[Caution]
) -> list[tuple[str, Verdict]]:
    """Return the verdicts, those of a result without the headline that a caution takes away."""
    instead = next((c.void for c in found if c.void), "")
    if not instead:
        return list(verdicts)
    return [
        (model, one if one.tone == "none" else replace(one, headline=instead, tone="none"))
        for model, one in verdicts
    ]
