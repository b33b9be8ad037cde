"""Compare what the models say of instances: where fidgety movements are, and how early."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import early, fms, localisation
from fidgety.evaluation.model_comparison import compared, left_out
from fidgety.evaluation.predictions import InfantPredictions, read_infant
from fidgety.evaluation.records import Assessment, collect, infants, read_cohorts
from fidgety.files import job_seed, write_text
from fidgety.report import compare_instances as pages
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run


def judged_by_set(
    records: Sequence[Assessment],
    predictions: Sequence[InfantPredictions],
    models: Sequence[str],
    risk: Sequence[str],
) -> dict[str, list[localisation.Judged]]:
    """Return, for every set, the infants of whom all its models have a result."""
    said: Mapping[str, InfantPredictions] = {p.infant: p for p in predictions}
    return {
        one.role: [
            localisation.Judged(
                infant, label in risk, {m: said[infant].models[m] for m in one.models}
            )
            for infant, label in sorted({r.infant: r.label for r in one.records}.items())
        ]
        for one in compared(records, models)
    }


def main(job: Job) -> None:
    """Write the tables, the figures and the page; print what matters most."""
    config = EvaluationConfig.model_validate(dict(job.params.config))
    classes = {str(c["name"]): bool(c["at_risk"]) for c in job.params.classes}
    risk = [name for name, at_risk in classes.items() if at_risk]
    models = [str(m) for m in job.params.models]
    rater = str(job.params.rater)
    how: dict[str, Any] = {
        "resamples": config.bootstrap,
        "confidence": config.confidence,
        "seed": job_seed(int(job.params.seed), "compare_instances"),
    }
    known = infants(read_cohorts([str(path) for path in job.input.cohort]))
    predictions = [read_infant(str(path)) for path in job.input.predictions]
    records = collect(known, predictions, models, list(classes.values()))
    by_set = judged_by_set(records, predictions, models, risk)
    intervals = [dict(row) for row in job.params.intervals]
    where = localisation.localisation_table(by_set, fms.experts(intervals, rater), **how)
    courses = {
        role: {
            model: [early.course_of(one.models[model], one.at_risk) for one in everybody]
            for model in everybody[0].models
        }
        for role, everybody in by_set.items()
    }
    result = pages.InstanceComparison(
        localisation=where,
        early=early.early_table(courses, **how),
        rater=rater,
        why=pages.why_no_localisation([str(row["rater"]) for row in intervals], rater, where),
        left_out=left_out(records, models),
    )
    write_text(job.output.localisation, to_tsv(result.localisation))
    write_text(job.output.early, to_tsv(result.early))
    write_text(job.output.where, pages.draw_localisation(result.localisation))
    write_text(job.output.when, pages.draw_early(result.early))
    phantoms = any(infant.phantom for infant in known)
    bundle = job.params.get("bundle")
    page = pages.page(result, config.confidence, phantoms=phantoms, bundle=bundle)
    write_text(job.output.page, page)
    text = pages.text_table(result)
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
