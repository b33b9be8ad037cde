"""Decompose the snippets of every fold into two independent components (Figure 3A)."""

from pathlib import Path

import pandas as pd

from fidgety.datasets.folds import read_folds, read_table
from fidgety.errors import RefusedError
from fidgety.evaluation.snippet_space import independent_components
from fidgety.files import atomic_path, job_seed
from fidgety.training.gather import FoldJob
from fidgety.training.score_snippets import fold_snippets
from workflow_scripts.stage import Job, run

COLUMNS = (
    "infant",
    "recording",
    "start_s",
    "label",
    "features",
    "fold",
    "part",
    "component_1",
    "component_2",
)


def main(job: Job) -> None:
    """Read features, write every snippet's components; the held-out ones decide nothing."""
    params, features = job.params, str(job.wildcards.features)
    paths = {Path(str(p)).stem: Path(str(p)) for p in job.input.features}
    entries, cohort = read_folds(job.input.folds), read_table(job.input.cohort)
    found = []
    for fold in sorted({e.fold for e in entries}):
        model = {"kind": "cnn1d", "options": dict(params.options)}
        config = {"model": model, "training": {}, "folds": {}, "evaluation": {}}
        one = FoldJob.of(features, fold, config, params.classes, int(params.seed))
        try:
            train, test = fold_snippets(one, entries, cohort, paths)
        except RefusedError as error:
            print(f"fold {fold}: {error}")
            continue
        seed = job_seed(int(params.seed), "decompose", features, str(fold))
        result = independent_components(train.flattened(), test.flattened(), seed)
        print(f"fold {fold}: {len(train.windows)} training snippets. {result.note}")
        for part, asked, values in (("train", train, result.train), ("test", test, result.other)):
            table = asked.described().assign(features=features, fold=fold, part=part)
            table[["component_1", "component_2"]] = values
            found.append(table)
    with atomic_path(job.output.components) as temporary:
        pd.concat([pd.DataFrame(columns=list(COLUMNS)), *found]).to_csv(
            temporary, sep="\t", index=False, float_format="%.6g"
        )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
