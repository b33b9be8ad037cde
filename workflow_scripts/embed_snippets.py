"""Look at held-out snippets in the last hidden layer of every fold's chosen network."""

from pathlib import Path

import torch

from fidgety.datasets.folds import read_folds, read_table
from fidgety.training import score_snippets as scoring
from fidgety.training.hidden_layer import HiddenLayer, look_at, write_hidden_layers
from fidgety.training.snippet_scores import read_snippet_scores
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read models, scores and features, write the hidden layer of the snippets that are shown."""
    torch.set_num_threads(job.threads)
    folds = scoring.load_candidates(
        str(job.params.model),
        [str(path) for path in job.input.models],
        job.params.candidates,
        job.params.classes,
        int(job.params.seed),
    )
    scores = read_snippet_scores(job.input.scores)
    features = {Path(str(p)).stem: Path(str(p)) for p in job.input.features}
    entries, cohort = read_folds(job.input.folds), read_table(job.input.cohort)
    found: list[HiddenLayer] = []
    for models, chosen in zip(folds, scores.chosen, strict=True):
        if models.fold_models[int(chosen)] is None:
            print(f"fold {models.job.fold}: {models.refused[int(chosen)]}")
            continue
        asked = scoring.held_out(models, entries, cohort, features, {})
        layer = look_at(models, int(chosen), asked, int(job.params.most))
        print(f"fold {layer.fold}: {len(layer.infant)} of {len(asked.windows)} snippets")
        found.append(layer)
    provenance = job.provenance(seed=int(job.params.seed), libraries=("torch", "numpy"))
    write_hidden_layers(job.output.embedding, found, provenance, split=str(job.wildcards.split))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
