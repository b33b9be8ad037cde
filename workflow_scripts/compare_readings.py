"""Compare raters with each other, with the model, and with and without its help."""

from typing import Any

import pandas as pd

from fidgety.evaluation.plots import write_svg
from fidgety.evaluation.predictions import read_infant
from fidgety.files import read_json_record, write_text
from fidgety.reading.agreement import accuracy_table
from fidgety.reading.plan import KEY_SCHEMA, read_key
from fidgety.reading.results import agreement_table, draw_accuracy, flow, notes, results_page
from fidgety.report.clips import clip_model
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run

_TEXT = {"rater": str, "recording": str, "infant": str, "verdict": str, "type": str}


def main(job: Job) -> None:
    """Read the tables and the predictions, write agreement, accuracy, figure and page."""
    key = read_key(read_json_record(str(job.input.key), KEY_SCHEMA))
    readings = pd.read_csv(job.input.readings, sep="\t", dtype=_TEXT).astype({"help": bool})
    intervals = pd.read_csv(job.input.intervals, sep="\t", dtype=_TEXT)
    models = {}
    for path in map(str, job.input.predictions):
        said = read_infant(path)
        name = clip_model(said.models, job.params.get("model"))
        if name is not None:
            models[said.infant] = said.models[name]
    at_risk = {c["name"]: c["at_risk"] for c in job.params.classes}
    truth = {r["infant"]: at_risk[r["label"]] for r in job.params.rows if r.get("label")}
    confidence = float(job.params.confidence)
    how: dict[str, Any] = {
        "resamples": int(job.params.resamples),
        "seed": int(job.params.seed),
        "confidence": confidence,
    }
    agreement = agreement_table(readings, intervals, key, models, str(job.params.age), **how)
    calls = {infant: model.positive for infant, model in models.items()}
    accuracy = accuracy_table(readings, truth, calls, **how)
    svg = draw_accuracy(accuracy)
    write_text(job.output.agreement, to_tsv(agreement))
    write_text(job.output.accuracy, to_tsv(accuracy))
    write_svg(job.output.figure, svg)
    page = results_page(
        flow(readings, key),
        agreement,
        accuracy,
        svg,
        bool(job.params.phantoms),
        key.washout_days,
        confidence,
        notes(key, readings),
    )
    write_text(job.output.page, page)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
