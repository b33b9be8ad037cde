"""Compare the models on the infants of whom all have a result."""

from pathlib import Path

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import model_comparison as comparing
from fidgety.evaluation.predictions import read_infant
from fidgety.evaluation.records import collect, infants, read_cohorts
from fidgety.report import compare_models as pages
from fidgety.report.pages import to_tsv
from fidgety.storage import write_text
from fidgety.training.bundle import read_description
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the tables, the figure and the page; print the table."""
    config = EvaluationConfig.model_validate(job.params.config)
    classes = {str(c["name"]): bool(c["at_risk"]) for c in job.params.classes}
    risk = [name for name, at_risk in classes.items() if at_risk]
    models = [str(m) for m in job.params.models]
    known = infants(read_cohorts(job.input.cohort))
    predictions = [read_infant(p) for p in job.input.predictions]
    records = collect(known, predictions, models, list(classes.values()))
    described: dict[str, dict[int, dict]] = {m: {} for m in models}
    for (name, fold), path in zip(job.params.model_of, job.input.described, strict=True):
        described[name][int(fold)] = read_description(path)
    validation = {m: comparing.validation_of(d, risk) for m, d in described.items()}
    result = pages.ModelComparison(
        figures=comparing.figures(records, models, classes, config, int(job.params.seed)),
        pairs=comparing.pair_table(records, models, classes, config),
        screening=comparing.screening_table(records, models, classes, config),
        zones=comparing.zone_table(records, models, validation, classes, config),
        benefit=comparing.benefit_table(records, models, classes, config),
        parameters={
            m: max((int(one.get("parameters", 0)) for one in d.values()), default=0)
            for m, d in described.items()
        },
        left_out=comparing.left_out(records, models),
    )
    for name in ("figures", "pairs", "screening", "zones", "benefit"):
        write_text(job.output[name], to_tsv(getattr(result, name)))
    write_text(job.output.plot, pages.draw_benefit(result.benefit))
    text = pages.text_table(result, models)
    write_text(job.output.text, text)
    page = pages.page(result, models, config.confidence, phantoms=bool(job.params.phantoms))
    write_text(job.output.page, page)
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
