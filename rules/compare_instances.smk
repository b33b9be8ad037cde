"""Where models find fidgety movements, and how early they decide: part of `compare`."""


rule compare_instances:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
    output:
        page=results("comparison/instances.html"),
        localisation=results("comparison/localisation.tsv"),
        early=results("comparison/early.tsv"),
        where=results("comparison/localisation.svg"),
        when=results("comparison/early.svg"),
    log:
        results("logs/compare_instances.log"),
    benchmark:
        results("benchmarks/compare_instances.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=60,
    params:
        config=section("evaluation", "bootstrap", "confidence"),
        classes=CLASSES,
        models=MODELS,
        intervals=lambda wildcards: assessed_intervals(),
        rater=CONFIG.gao.rater,
        seed=SEED,
        bundle=ABOUT_BUNDLE,
        texts=texts_version(),
        footnote=PHANTOM_NOTE,
        code=code_of(
            "compare_instances",
            libraries=("jinja2", "matplotlib", "scikit-learn", "scipy"),
            data=PAGE_FILES,
        ),
    message:
        "Find where and how early {params.models} see what they decide by"
    script:
        "../workflow_scripts/compare_instances.py"
