"""Evaluation over the development (cross-validated) and external infants."""


rule evaluate:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
    output:
        summary=results("evaluation/summary.json"),
        metrics=shown("metrics.tsv", "Models", "figures of all models"),
        infants=shown("infants.tsv", "Models", "results by infant"),
        roc=results("evaluation/roc.tsv"),
        calibration=results("evaluation/calibration.tsv"),
        benefit=results("evaluation/net_benefit.tsv"),
        characteristics=shown("characteristics.tsv", "Cohorts", "characteristics"),
        frequency=shown("fms_frequency.tsv", "Fidgety movements", "frequency by label"),
        quality=shown("quality.tsv", "Recordings", "quality"),
        reasons=shown("not_assessable.tsv", "Recordings", "not assessable"),
        roc_figure=shown("roc.svg", "Models", "ROC"),
        calibration_figure=shown("calibration.svg", "Models", "calibration"),
        benefit_figure=shown("net_benefit.svg", "Models", "decision curves"),
        frequency_figure=shown("fms_frequency.svg", "Fidgety movements", "frequency by label"),
        quality_figure=shown("quality.svg", "Recordings", "quality"),
    log:
        results("logs/evaluate.log"),
    benchmark:
        results("benchmarks/evaluate.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=section("evaluation", without=COMPARE_KEYS),
        classes=CLASSES,
        models=MODELS,
        seed=SEED,
        # Of captions too: what is said of phantoms is marked as theirs.
        footnote=PHANTOM_NOTE,
        code=code_of("evaluate", libraries=("scikit-learn", "scipy", "matplotlib")),
    message:
        "Evaluate {params.models}"
    script:
        "../workflow_scripts/evaluate.py"
