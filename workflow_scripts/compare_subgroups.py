"""Judge the models by subgroup, on serial recordings, and against the clinical outcome."""

from fidgety.config.evaluation import EvaluationConfig
from fidgety.evaluation import outcome, serial, subgroups
from fidgety.evaluation.model_comparison import left_out
from fidgety.evaluation.predictions import read_infant
from fidgety.evaluation.records import collect, infants, read_cohorts
from fidgety.files import write_text
from fidgety.report import subgroups as pages
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the tables, the figures and the page."""
    config = EvaluationConfig.model_validate(job.params.config)
    classes = {str(c["name"]): bool(c["at_risk"]) for c in job.params.classes}
    at_risk = list(classes.values())
    models = [str(m) for m in job.params.models]
    cohort = read_cohorts(job.input.cohort)
    known = infants(cohort)
    predictions = [read_infant(p) for p in job.input.predictions]
    records = collect(known, predictions, models, at_risk)
    follow_up = outcome.follow_up_table(known, cohort, records)
    rows = serial.serial_table(known, cohort, predictions, models, at_risk)
    result = pages.Clinic(
        subgroups=subgroups.subgroup_table(
            records, models, cohort, predictions, classes, config, int(job.params.seed)
        ),
        serial=rows,
        changes=serial.change_table(rows, config.confidence),
        outcome=outcome.outcome_table(records, models, follow_up, classes, config),
        follow_up=follow_up,
        lost=outcome.lost_table(follow_up, records, models, classes, config.confidence),
        left_out=left_out(records, models),
        not_grouped=subgroups.not_grouped(cohort),
        not_serial=serial.not_serial(known, cohort),
    )
    for name in pages.FILES:
        write_text(job.output[name], to_tsv(getattr(result, name)))
    write_text(job.output.subgroup_plot, pages.draw_subgroups(result.subgroups))
    write_text(job.output.serial_plot, pages.draw_serial(result.serial))
    phantoms = any(infant.phantom for infant in known)
    bundle = job.params.get("bundle")
    page = pages.page(result, config.confidence, phantoms=phantoms, bundle=bundle)
    write_text(job.output.page, page)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
