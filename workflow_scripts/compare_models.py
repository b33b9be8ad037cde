"""Compare the models on the infants of whom all have a result."""

from pathlib import Path

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import cost, recalibration
from fidgety.evaluation import model_comparison as comparing
from fidgety.evaluation.ensembles import ensembles
from fidgety.evaluation.predictions import read_infant
from fidgety.evaluation.ranks import ranks_of
from fidgety.evaluation.records import collect, infants, read_cohorts
from fidgety.evaluation.study_plots import draw_benefit
from fidgety.files import write_text
from fidgety.report import compare_models as pages
from fidgety.report.compare_figures import draw_ranks, draw_reliability
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.pages import to_tsv
from fidgety.training.description import read_description
from workflow_scripts.stage import Job, run

TABLES = (
    "figures",
    "pairs",
    "screening",
    "zones",
    "benefit",
    "calibration",
    "reliability",
    "weights",
    "cost",
)


def main(job: Job) -> None:
    """Write the tables, the figures and the page; print the table."""
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
    together = ensembles(records, models, validation, classes, config)
    every = [*records, *together.records]
    named = [*models, *comparing.ENSEMBLES]
    seed = int(job.params.seed)
    settings = {m: int(job.params.settings[m]) for m in models}
    speed = cost.read_speed(job.input.speed)
    seconds = cost.training_seconds(
        {
            m: {int(k): [str(p) for p in paths] for k, paths in job.params.benchmarks[m].items()}
            for m in models
        }
    )
    result = pages.ModelComparison(
        figures=comparing.figures(every, named, classes, config, seed),
        pairs=comparing.pair_table(every, named, classes, config),
        screening=comparing.screening_table(every, named, classes, config),
        zones=comparing.zone_table(records, models, validation, classes, config),
        benefit=comparing.benefit_table(every, named, classes, config),
        calibration=recalibration.calibration_table(
            records, models, validation, classes, config, seed
        ),
        reliability=recalibration.reliability_table(records, models, validation, classes, config),
        weights=together.weights,
        cost=cost.cost_table(described, settings, seconds, speed),
        speed=speed,
        ranks=ranks_of(records, models, classes, config.confidence),
        settings=settings,
        left_out=comparing.left_out(records, models),
        not_recalibrated=recalibration.not_recalibrated(validation),
        no_zone=comparing.no_zone(validation),
        no_ensemble=together.missing,
        bundled=bool(job.params.get("bundle")),
    )
    for name in TABLES:
        write_text(job.output[name], to_tsv(getattr(result, name)))
    write_text(job.output.ranks, to_tsv(result.ranks_table))
    write_text(job.output.plot, draw_benefit(result.benefit, ROLE_TEXTS))
    write_text(job.output.reliability_plot, draw_reliability(result.reliability))
    write_text(job.output.ranks_plot, draw_ranks(result.ranks))
    text = pages.text_table(result, models)
    write_text(job.output.text, text)
    phantoms = any(infant.phantom for infant in known)
    bundle = job.params.get("bundle")
    page = pages.page(result, models, config.confidence, phantoms=phantoms, bundle=bundle)
    write_text(job.output.page, page)
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
