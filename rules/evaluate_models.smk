"""Evaluation over the development (cross-validated) and external infants."""


rule evaluate:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
    output:
        summary=results("evaluation/summary.json"),
        metrics=results("evaluation/metrics.tsv"),
        infants=results("evaluation/infants.tsv"),
        roc=results("evaluation/roc.tsv"),
        calibration=results("evaluation/calibration.tsv"),
        benefit=results("evaluation/net_benefit.tsv"),
        characteristics=results("evaluation/characteristics.tsv"),
        frequency=results("evaluation/fms_frequency.tsv"),
        quality=results("evaluation/quality.tsv"),
        reasons=results("evaluation/not_assessable.tsv"),
        roc_figure=report(
            results("evaluation/roc.svg"), category="Evaluation", labels={"figure": "ROC"}
        ),
        calibration_figure=report(
            results("evaluation/calibration.svg"),
            category="Evaluation",
            labels={"figure": "Calibration"},
        ),
        benefit_figure=results("evaluation/net_benefit.svg"),
        frequency_figure=results("evaluation/fms_frequency.svg"),
        quality_figure=results("evaluation/quality.svg"),
    log:
        results("logs/evaluate.log"),
    benchmark:
        results("benchmarks/evaluate.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        config=section("evaluation", without=COMPARE_KEYS),
        classes=CLASSES,
        models=MODELS,
        seed=SEED,
        code=code_of("evaluate", libraries=("scikit-learn", "scipy", "matplotlib")),
    message:
        "Evaluate {params.models}"
    script:
        "../workflow_scripts/evaluate.py"
