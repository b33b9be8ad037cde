"""Comparison of all models on the same infants: `snakemake compare`."""


rule compare_models:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
        described=expand(results("models/{model}/fold-{fold}/model.json"), model=MODELS, fold=FOLDS),
    output:
        page=results("comparison/index.html"),
        text=results("comparison/table.txt"),
        figures=results("comparison/metrics.tsv"),
        pairs=results("comparison/pairs.tsv"),
        screening=results("comparison/screening.tsv"),
        zones=results("comparison/zones.tsv"),
        benefit=results("comparison/net_benefit.tsv"),
        plot=results("comparison/net_benefit.svg"),
    log:
        results("logs/compare_models.log"),
    benchmark:
        results("benchmarks/compare_models.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=section("evaluation"),
        classes=CLASSES,
        models=MODELS,
        model_of=[(model, fold) for model in MODELS for fold in FOLDS],
        phantoms=bool(PHANTOMS),
        seed=SEED,
        texts=texts_version(),
        code=code_of(
            "compare_models",
            libraries=("jinja2", "matplotlib", "scikit-learn", "scipy", "statsmodels"),
            data=PAGE_FILES,
        ),
    message:
        "Compare the models {params.models}"
    script:
        "../workflow_scripts/compare_models.py"


rule compare:
    input:
        results("comparison/index.html"),
        results("comparison/subgroups.html"),
