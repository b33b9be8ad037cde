"""What a clinic that screens asks: subgroups, serial recordings, the clinical outcome."""


rule compare_subgroups:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
    output:
        page=results("comparison/subgroups.html"),
        subgroups=results("comparison/subgroups.tsv"),
        serial=results("comparison/serial.tsv"),
        outcome=results("comparison/outcome.tsv"),
        follow_up=results("comparison/follow_up.tsv"),
        lost=results("comparison/lost.tsv"),
        subgroup_plot=results("comparison/subgroups.svg"),
        serial_plot=results("comparison/serial.svg"),
    log:
        results("logs/compare_subgroups.log"),
    benchmark:
        results("benchmarks/compare_subgroups.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        config=section("evaluation", without=ZONE_KEYS),
        classes=CLASSES,
        models=MODELS,
        seed=SEED,
        bundle=ABOUT_BUNDLE,
        texts=texts_version(),
        footnote=PHANTOM_NOTE,
        code=code_of(
            "compare_subgroups",
            libraries=("jinja2", "matplotlib", "scikit-learn", "scipy", "statsmodels"),
            data=PAGE_FILES,
        ),
    message:
        "Judge the models by subgroup, recording and outcome"
    script:
        "../workflow_scripts/compare_subgroups.py"
