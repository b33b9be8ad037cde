"""The model card of a bundle, in Markdown: what the models are for, whom they learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from fidgety import __version__
from fidgety.bundle.manifest import ModelEntry, TrainingEntry
from fidgety.config.study import ClassConfig
from fidgety.errors import Status
from fidgety.report.people import n_phantoms
from fidgety.report.wording import LIMITS, WHAT_IT_IS, WHAT_IT_IS_NOT, count, interval, number

#: Fewer infants than this are counted, and nothing else is told of them.
MIN_DESCRIBED = 10
#: A group of fewer infants than this is not counted: a group of one is that infant's data.
MIN_GROUP = 5
#: Figures of the evaluation that the card has.
FIGURES = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "accuracy": "Accuracy",
    "brier": "Brier score",
}
SETS = {
    "development": "Cross-validated, every infant judged by the fold model that never saw it",
    "external": "External cohorts, never trained on, judged by the mean of the fold models",
}
PHANTOMS = (
    "**TRAINED ON DIGITAL PHANTOMS{some}. These models show that the machinery works. What they "
    "say of an infant means nothing: do not assess infants with them.**"
)
BUNDLE_IDS = (
    "- The ids of the training infants are not in the bundle: nobody can check here whether an "
    "infant that is assessed had a part in training."
)
RUN_IDS = (
    "- Who had a part in training is in results/folds.tsv and, of reference clips, in "
    "results/training/reference.tsv: an infant that is there is no test."
)
#: Columns of the cohort tables that are told as median and quartiles.
NUMBERS = {
    "corrected_age_weeks": "corrected age at the recording, weeks",
    "gestational_age_weeks": "gestational age, weeks",
    "birth_weight_g": "birth weight, g",
}
GROUPS = {"sex": "sex", "setting": "setting"}


class Described(Protocol):
    """What a card tells of: a bundle's manifest, or a run (:class:`RunCard`)."""

    @property
    def fidgety_version(self) -> str:
        """Version that trained the models."""

    @property
    def classes(self) -> Sequence[ClassConfig]:
        """Of the models' outputs."""

    @property
    def folds(self) -> int:
        """How many fold models each model has."""

    @property
    def models(self) -> Mapping[str, ModelEntry]:
        """Name to kind and options."""

    @property
    def configuration(self) -> Mapping[str, Mapping[str, Any]]:
        """Sections of the configuration, ``evaluation`` among them."""

    @property
    def training(self) -> TrainingEntry:
        """Whom the models learned from."""

    @property
    def licence(self) -> str:
        """Of the models."""

    @property
    def contact(self) -> str:
        """Of those who trained them."""


@dataclass(frozen=True)
class RunCard:
    """A run's models, which are in no bundle; see :class:`Described`."""

    classes: Sequence[ClassConfig]
    folds: int
    models: Mapping[str, ModelEntry]
    configuration: Mapping[str, Mapping[str, Any]]
    training: TrainingEntry
    licence: str = ""
    contact: str = ""
    fidgety_version: str = __version__


def _learned_from(folds: pd.DataFrame, development: pd.DataFrame) -> pd.DataFrame:
    """Return the usable recordings of the infants of the folds: the table has others, too."""
    usable = development["status"] == Status.OK.value
    return development[usable & development["infant"].isin(folds["infant"])]


def _n_usable(cohort: pd.DataFrame) -> int:
    """Count the infants that have a usable recording."""
    return int(cohort.loc[cohort["status"] == Status.OK.value, "infant"].nunique())


def training_numbers(
    folds: pd.DataFrame, development: pd.DataFrame, reference: pd.DataFrame | None
) -> dict[str, Any]:
    """Count whom the models learned from, for the manifest.

    Parameters
    ----------
    folds
        The folds' table: infant and label.
    development, reference
        Cohort tables as text.
    """
    own = _learned_from(folds, development)
    return {
        "infants": {str(k): int(n) for k, n in folds["label"].value_counts().sort_index().items()},
        "recordings": len(own),
        "phantoms": n_phantoms(own),
        "reference_infants": 0 if reference is None else _n_usable(reference),
    }


def _groups(counts: pd.Series) -> str:
    """Count groups, or none of them: a small one would follow from the others and the total."""
    total = int(counts.sum())
    if counts.min() < MIN_GROUP:
        return f"known of {total}, not counted, as a group has fewer than {MIN_GROUP} infants"
    return f"{', '.join(f'{name} {n}' for name, n in counts.items())} (n = {total})"


def characteristics(folds: pd.DataFrame, development: pd.DataFrame) -> list[str]:
    """Describe the infants that the models learned from together, a line a characteristic.

    Nothing is told that fewer than :data:`MIN_DESCRIBED` infants have, and no groups of which one
    has fewer than :data:`MIN_GROUP`.

    Parameters
    ----------
    folds
        The folds' table: infant and label.
    development
        Cohort table as text.
    """
    first = _learned_from(folds, development).drop_duplicates("infant")
    lines = []
    for column, text in NUMBERS.items():
        if column not in first.columns:
            continue
        values = pd.to_numeric(first[column], errors="coerce").dropna()
        if len(values) >= MIN_DESCRIBED:
            low, middle, high = values.quantile([0.25, 0.5, 0.75])
            lines.append(
                f"{text}: median {middle:g}, quartiles {low:g} to {high:g} (n = {len(values)})"
            )
    for column, text in GROUPS.items():
        if column not in first.columns:
            continue
        counts = first.loc[first[column] != "", column].value_counts().sort_index()
        if counts.sum() >= MIN_DESCRIBED:
            lines.append(f"{text}: {_groups(counts)}")
    for column, text in (("site", "sites"), ("device", "devices"), ("cohort", "cohorts")):
        if column in first.columns and (n := first.loc[first[column] != "", column].nunique()):
            lines.append(f"{text}: {n}")
    return lines


def _table(metrics: Sequence[Mapping[str, Any]], role: str, models: Sequence[str]) -> list[str]:
    own = [m for m in metrics if m["set"] == role and m["model"] in models]
    if not own:
        return ["No infants."]
    shown = [name for name in FIGURES if any(m["metric"] == name for m in own)]
    lines = ["| model | " + " | ".join(FIGURES[name] for name in shown) + " |"]
    lines.append("|---" * (len(shown) + 1) + "|")
    for model in models:
        cells = []
        for name in shown:
            row = next((m for m in own if m["model"] == model and m["metric"] == name), None)
            cells.append(
                "–"
                if row is None
                else f"{number(row['value'])} [{interval(row['low'], row['high'])}], n = {row['n']}"
            )
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return lines


def _models(manifest: Described, thresholds: Mapping[str, Sequence[float]]) -> list[str]:
    return [
        f"- `{name}` (kind `{entry.kind}`): {count(manifest.folds, 'fold model')}, thresholds "
        f"{', '.join(number(t, 3) for t in thresholds[name])}"
        for name, entry in sorted(manifest.models.items())
    ]


def model_card(
    manifest: Described,
    thresholds: Mapping[str, Sequence[float]],
    *,
    metrics: Sequence[Mapping[str, Any]],
    described: Sequence[str],
    confidence: float,
    with_infants: Sequence[str] = (),
    bundled: bool = True,
) -> str:
    """Write the card.

    Parameters
    ----------
    manifest
        Of the bundle, or what is known of a run.
    thresholds
        Model to the thresholds of its fold models.
    metrics
        Rows of the evaluation's table of figures.
    described
        Of :func:`characteristics`.
    confidence
        Coverage of the intervals.
    with_infants
        Models whose weights hold movement of single training infants.
    bundled
        Whether the card lies in a bundle; beside a run otherwise.
    """
    how = "`bundle:` of" if bundled else "the run that trained the models,"
    made_of, models = manifest.training, sorted(manifest.models)
    risk = [c.name for c in manifest.classes if c.at_risk]
    by_class = ", ".join(f"{n} {name}" for name, n in made_of.infants.items())
    some = "" if made_of.phantoms == made_of.n else f" ({made_of.phantoms} of {made_of.n} infants)"
    judged = manifest.configuration["evaluation"]
    lines = ["# Model card", ""]
    if made_of.phantoms:
        lines += [PHANTOMS.format(some=some), ""]
    lines += [
        "## Intended use",
        "",
        WHAT_IT_IS,
        "",
        f"**{WHAT_IT_IS_NOT}**",
        "",
        f"- for recordings of infants on their backs, assessed by {how} fidgety "
        f"{manifest.fidgety_version}",
        f"- classes: {', '.join(c.name for c in manifest.classes)}; at risk: {', '.join(risk)}",
        f"- licence: {manifest.licence or 'not given: ask before you use them'}",
        f"- contact: {manifest.contact or 'not given'}",
        "",
        "## Models",
        "",
        *_models(manifest, thresholds),
        "",
        f"Rule of the thresholds: `{judged['threshold']}` on each fold's validation infants, or "
        "0.5 where there were too few. An infant gets the mean probability of the fold models, "
        "against the mean of their thresholds.",
        "",
        "## Training data",
        "",
        f"- {count(made_of.n, 'infant')} ({by_class}), "
        f"{count(made_of.recordings, 'recording')} with usable tracks",
        f"- {count(made_of.phantoms, 'digital phantom')} among them",
        f"- {count(made_of.reference_infants, 'infant')} with annotated reference clips",
        *[f"- {line}" for line in described],
        "",
        "Each fold model learned from all folds but its own.",
        "",
        "## Figures",
        "",
        f"{100 * confidence:g} % intervals by infant in brackets; n infants behind each figure.",
        "",
    ]
    for role, text in SETS.items():
        lines += [f"{text}:", "", *_table(metrics, role, models), ""]
    lines += [
        "## Limits",
        "",
        f"- {LIMITS}",
        "- A threshold and a probability go with the share of infants at risk among those that the "
        "models learned from. Test the models on infants of your own with a known label (a cohort "
        "of the role `external`) before you look at what it says of others.",
        BUNDLE_IDS if bundled else RUN_IDS,
        "- Other versions of the libraries, and other processors, may change a probability in its "
        "last digits.",
    ]
    lines += [
        f"- **The weights of `{name}` hold movement of single training infants** (features of "
        "their recordings, without names): share them as you would share those."
        for name in with_infants
    ]
    if not with_infants:
        lines.append(
            "- Weights are numbers that training made of many infants. What can be learned from "
            "them about one infant has not been studied."
        )
    return "\n".join(lines) + "\n"
