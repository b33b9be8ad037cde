"""Report the study of Kaur 2025: tables, figures, a page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.kaur import KaurConfig
from fidgety.datasets.snippet_split import leaks_of
from fidgety.errors import Status
from fidgety.evaluation import snippets
from fidgety.evaluation.baseline import infant_speeds
from fidgety.evaluation.records import infants, read_cohorts
from fidgety.evaluation.snippet_space import cosine_similarity
from fidgety.files import job_seed, write_text
from fidgety.report import kaur as pages
from fidgety.report.pages import to_tsv
from fidgety.storage import write_dataset
from fidgety.study_kaur import similarity_of
from fidgety.training.hidden_layer import HiddenLayer, read_hidden_layers
from fidgety.training.snippet_scores import read_snippet_scores
from workflow_scripts.stage import Job, run

FIGURE_SCHEMA = "similarity/1"


def alike(split: str, layers: Iterable[HiddenLayer]) -> list[pages.Similarity]:
    """Compare the snippets of every fold with each other."""
    return [
        pages.Similarity(
            fold=layer.fold,
            split=split,
            infants=layer.infant,
            labels=tuple(layer.classes[k] for k in layer.label),
            wrong=layer.wrong,
            similarity=cosine_similarity(layer.embedding),
        )
        for layer in layers
    ]


def as_dataset(one: pages.Similarity) -> xr.Dataset:
    """Return the data of one heat map."""
    return xr.Dataset(
        {
            "similarity": (("snippet", "other"), one.similarity.astype(np.float32)),
            "infant": (("snippet",), np.array(one.infants, dtype=object)),
            "label": (("snippet",), np.array(one.labels, dtype=object)),
            "wrong": (("snippet",), one.wrong.astype(np.uint8)),
        },
        attrs={"fold": one.fold, "split": one.split, "leaks": leaks_of(one.split)},
    )


def read_components(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read the components of all inputs; names stay as they are written."""
    tables = [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in paths]
    table = pd.concat(tables, ignore_index=True)
    numbers = {name: pd.to_numeric(table[name]) for name in ("component_1", "component_2")}
    return table.assign(fold=table["fold"].astype(int), **numbers)


def main(job: Job) -> None:
    """Read scores, hidden layers and components; write everything that is told."""
    config = KaurConfig.model_validate(dict(job.params.config))
    judged = EvaluationConfig.model_validate(dict(job.params.evaluation))
    how = judged.confidence, judged.bootstrap, job_seed(int(job.params.seed), "kaur2025")
    scores = [read_snippet_scores(str(path)) for path in job.input.scores]
    cohort = read_cohorts([str(path) for path in job.input.cohort])
    used = cohort[cohort["status"] == Status.OK.value]
    owner = dict(zip(used["recording"], used["infant"], strict=True))
    _, speed = infant_speeds(used, owner)
    baselines = [snippets.majority_rows(scores, judged.confidence)]
    baselines.append(snippets.speed_rows(speed, scores, *how))
    similarities = [
        one for path in job.input.embeddings for one in alike(*read_hidden_layers(str(path)))
    ]
    study = pages.Study(
        table=snippets.study_table(scores, *how),
        optimism=snippets.optimism_table(scores, *how),
        baselines=pd.concat(baselines, ignore_index=True),
        chosen=snippets.chosen_table(scores),
        left_out=snippets.left_out_table(scores),
        components=read_components([str(p) for p in job.input.components]),
        similarities=similarities,
        features=config.features,
        overlap=config.overlap,
        confidence=judged.confidence,
        similarity_model=similarity_of(config),
    )
    notes = [str(note) for note in job.params.notes]
    text = pages.text_table(study, notes)
    write_text(job.output.text, text)
    whole = pd.concat([study.table, study.baselines], ignore_index=True)
    write_text(job.output.table, to_tsv(whole))
    write_text(job.output.optimism, to_tsv(study.optimism))
    write_text(job.output.choices, to_tsv(study.chosen))
    write_text(job.output.left_out, to_tsv(study.left_out))
    write_text(job.output.overlap_figure, pages.draw_sweep(study))
    write_text(job.output.overlap_data, to_tsv(pages.sweep_table(study)))
    write_text(job.output.components_figure, pages.draw_components(study))
    write_text(job.output.components, to_tsv(study.components))
    looked_at = config.splits if study.similarity_model else ()
    paths = zip(job.output.similarity_figures, job.output.similarity_tables, strict=True)
    for split, (path, data) in zip(looked_at, paths, strict=True):
        write_text(path, pages.draw_similarity(similarities, split))
        write_text(data, to_tsv(pages.similarity_table(similarities, split)))
    write_dataset(
        job.output.similarity,
        xr.Dataset(),
        schema=FIGURE_SCHEMA,
        provenance=job.provenance(seed=int(job.params.seed)),
        groups={f"{one.split}-fold-{one.fold}": as_dataset(one) for one in similarities},
    )
    phantoms = any(infant.phantom for infant in infants(cohort))
    write_text(job.output.page, pages.page(study, notes, phantoms=phantoms))
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
