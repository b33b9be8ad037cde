"""Judge every model by infant: figures with intervals, tables, curves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pandas as pd

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import Status
from fidgety.evaluation import description, plots, study_plots, tables
from fidgety.evaluation.baseline import infant_speeds
from fidgety.evaluation.model_comparison import benefit_table
from fidgety.evaluation.predictions import read_infant
from fidgety.evaluation.records import Assessment, collect, infants, read_cohorts, with_result
from fidgety.files import atomic_path, write_json
from workflow_scripts.stage import Job, run


def write_table(path: str, table: pd.DataFrame) -> None:
    """Write a table as TSV, whole or not at all; what is undefined is empty."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n", float_format="%.6g")


def describe(
    job: Job,
    cohort: pd.DataFrame,
    records: Sequence[Assessment],
    classes: Mapping[str, bool],
    config: EvaluationConfig,
) -> None:
    """Write what stands beside the models' figures: worth, cohort, FMs, quality."""
    models = [str(m) for m in job.params.models]
    benefit = benefit_table(records, models, classes, config)
    frequencies = description.infant_frequencies(records)
    by_label = description.frequency_table(
        frequencies, classes, config, int(job.params.get("seed", 0))
    )
    reasons = description.reason_table(cohort, config.confidence)
    write_table(job.output.benefit, benefit)
    write_table(job.output.characteristics, description.cohort_table(cohort, list(classes)))
    write_table(job.output.frequency, by_label)
    write_table(job.output.quality, description.quality_table(cohort))
    write_table(job.output.reasons, reasons)
    plots.write_svg(job.output.benefit_figure, study_plots.draw_benefit(benefit))
    plots.write_svg(
        job.output.frequency_figure, study_plots.draw_frequencies(frequencies, list(classes))
    )
    plots.write_svg(job.output.quality_figure, study_plots.draw_quality(cohort, reasons))


def main(job: Job) -> None:
    """Read predictions and cohorts, write the evaluation."""
    config = EvaluationConfig.model_validate(job.params.config)
    classes = {str(c["name"]): bool(c["at_risk"]) for c in job.params.classes}
    risk = [name for name, at_risk in classes.items() if at_risk]
    models = [str(m) for m in job.params.models]
    seed = int(job.params.get("seed", 0))
    cohort = read_cohorts(job.input.cohort)
    known = infants(cohort)
    records = collect(
        known, map(read_infant, job.input.predictions), models, list(classes.values())
    )
    metrics = tables.metric_table(records, models, classes, config, seed)
    # The baseline is asked about the infants that the models were asked about, and no others.
    answered = with_result(records)
    used = cohort[(cohort["status"] == Status.OK.value) & cohort["infant"].isin(answered)]
    owner = dict(zip(used["recording"], used["infant"], strict=True))
    feature_set, speeds = infant_speeds(used, owner)
    asked = [i for i in known if i.infant in answered]
    baseline, direction = tables.baseline_table(asked, speeds, classes, config, seed)
    majority = tables.majority_table(asked, classes, config.confidence)
    metrics = pd.concat([t for t in (metrics, baseline, majority) if len(t)] or [metrics])
    roc = tables.roc_table(records, models, risk)
    calibration = tables.calibration_table(records, models, risk, config.confidence)

    write_table(job.output.metrics, metrics)
    write_table(job.output.infants, tables.infant_table(records))
    write_table(job.output.roc, roc)
    write_table(job.output.calibration, calibration)
    plots.write_svg(job.output.roc_figure, plots.draw_roc(roc, metrics))
    plots.write_svg(job.output.calibration_figure, plots.draw_calibration(calibration))
    describe(job, cohort, records, classes, config)
    write_json(
        job.output.summary,
        {
            "schema": tables.EVALUATION_SCHEMA,
            "status": "ok",
            "classes": [{"name": n, "at_risk": r} for n, r in classes.items()],
            "models": models,
            "phantoms": any(i.phantom for i in known),
            "metrics": metrics.to_dict("records"),
            "infants": tables.accounting(records, models, list(classes)),
            "majority": tables.MAJORITY if len(majority) else None,
            "baseline": {
                "name": tables.BASELINE,
                "feature_set": feature_set,
                "unit": "trunk lengths a second",
                "faster_means_risk": direction > 0,
                "n": {row["set"]: int(row["n"]) for row in baseline.to_dict("records")},
                "speed": dict(sorted(speeds.items())),
            },
            "provenance": asdict(
                job.provenance(
                    seed=seed, libraries=("scikit-learn", "scipy", "numpy", "matplotlib")
                )
            ),
        },
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
