"""Ask a model's folds about the snippets that they did not learn from, and external ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fidgety.config.learning import choice_text
from fidgety.datasets.folds import read_folds, read_table
from fidgety.training import score_snippets as scoring
from fidgety.training.snippet_scores import SnippetScores, write_snippet_scores
from workflow_scripts.stage import Job, run


def read_external(job: Job) -> pd.DataFrame:
    """Read the table of the external cohorts; an empty one where there are none."""
    if not job.input.external:
        return pd.DataFrame(columns=["recording", "infant", "label", "status"], dtype=str)
    return read_table(str(job.input.external))


def refusals(folds: list[scoring.FoldCandidates], choices: tuple[str, ...]) -> dict[str, str]:
    """Name the models that could not be trained, and those that learned from other features."""
    found = {}
    common = scoring.majority(folds)
    for models in folds:
        where = f"fold {models.job.fold}"
        for choice, reason in zip(choices, models.refused, strict=True):
            if reason:
                name = ", ".join(text for text in (models.job.model, choice, where) if text)
                found[name] = f"not trained: {reason}"
        if common is not None and models.trained and models.signature != common.signature:
            found[f"{models.job.model}, {where}"] = (
                "not asked about external infants: its training infants' features or units are "
                "not those of most folds"
            )
    return found


def main(job: Job) -> None:
    """Read models and features, write every candidate's answers."""
    torch.set_num_threads(job.threads)
    named = job.wildcards
    folds = scoring.load_candidates(
        str(named.model),
        [str(path) for path in job.input.models],
        job.params.candidates,
        job.params.classes,
        int(job.params.seed),
    )
    features = {Path(str(p)).stem: Path(str(p)) for p in job.input.features}
    entries, cohort = read_folds(job.input.folds), read_table(job.input.cohort)
    choices = tuple(choice_text(choice) for choice in job.params.choices)
    outside = read_external(job)
    left_out = {**scoring.unusable(cohort), **scoring.unusable(outside)}
    left_out |= refusals(folds, choices)
    internal = []
    for models in folds:
        asked = scoring.held_out(models, entries, cohort, features, left_out)
        answers = scoring.ask(models, asked)
        internal.append(scoring.one_set(models.job, asked, answers[:, None], models.job.fold))
        print(f"fold {models.job.fold}: {len(asked.windows)} snippets")
    known = scoring.majority(folds)
    asked = scoring.Asked([], asked.windows.take(slice(0)))
    if known is not None:
        asked = scoring.external(known, outside, features, left_out)
    answers = np.stack([scoring.ask(models, asked) for models in folds], axis=1)
    print(f"external: {len(asked.windows)} snippets")
    for what, why in left_out.items():
        print(f"left out: {what}: {why}")
    first = folds[0].job
    judges = list(zip(*(models.fold_models for models in folds), strict=True))
    scores = SnippetScores(
        model=first.model,
        kind=first.kind,
        features=str(named.features),
        split=str(named.split),
        overlap=int(named.overlap),
        classes=first.classes,
        at_risk=first.at_risk,
        candidates=choices,
        folds=tuple(models.job.fold for models in folds),
        validation_loss=np.array(
            [[np.nan if b is None else b.validation_loss for b in row] for row in judges]
        ),
        threshold=np.array([[np.nan if b is None else b.threshold for b in row] for row in judges]),
        internal=scoring.join_folds(internal),
        external=scoring.one_set(first, asked, answers, 0),
        left_out=left_out,
    )
    provenance = job.provenance(seed=int(job.params.seed), libraries=("torch", "numpy"))
    write_snippet_scores(job.output.scores, scores, provenance)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
