"""Comparison of all models on the same infants: `snakemake compare`."""


rule time_models:
    input:
        features=paths("features/{recording}.h5", timed_recordings()),
        pixels=pixels_of(timed_recordings()),
        clean=paths("pose/clean/{recording}.h5", timed_recordings()),
        models=fold_models(MODELS),
        fetched=fetched_models(fold_models(MODELS)),
        folds=FOLDS_TABLE,
    output:
        speed=results("comparison/speed.tsv"),
    log:
        results("logs/time_models.log"),
    benchmark:
        results("benchmarks/time_models.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000 if WITH_PIXELS else 2000),
        runtime=60,
    params:
        recordings=[r.recording for r in timed_recordings()],
        infants=[r.infant for r in timed_recordings()],
        models=MODELS,
        rounds=5,
        characteristics=characteristics_of(timed_recordings(), CONFIG.models.values()),
        code=code_of(
            "time_models",
            *[MODEL_SYSTEMS.module(m.kind) for m in CONFIG.models.values()],
            libraries=("torch", "numpy"),
        ),
    message:
        "Time {params.models} on one recording"
    script:
        "../workflow_scripts/time_models.py"


rule compare_models:
    input:
        predictions=collect_predictions,
        cohort=cohort_tables,
        described=fold_models(MODELS),
        speed=results("comparison/speed.tsv"),
    output:
        page=results("comparison/index.html"),
        text=results("comparison/table.txt"),
        figures=results("comparison/metrics.tsv"),
        pairs=results("comparison/pairs.tsv"),
        screening=results("comparison/screening.tsv"),
        zones=results("comparison/zones.tsv"),
        benefit=results("comparison/net_benefit.tsv"),
        calibration=results("comparison/calibration.tsv"),
        reliability=results("comparison/reliability.tsv"),
        ranks=results("comparison/ranks.tsv"),
        weights=results("comparison/weights.tsv"),
        cost=results("comparison/cost.tsv"),
        plot=results("comparison/net_benefit.svg"),
        reliability_plot=results("comparison/reliability.svg"),
        ranks_plot=results("comparison/ranks.svg"),
    log:
        results("logs/compare_models.log"),
    benchmark:
        results("benchmarks/compare_models.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=60,
    params:
        config=section("evaluation", without=SUBGROUP_KEYS),
        classes=CLASSES,
        models=MODELS,
        model_of=[(model, fold) for model in MODELS for fold in FOLDS],
        settings={model: len(candidates_of(CONFIG.models[model])) for model in MODELS},
        # Read where they are there: Snakemake makes no file a second time for its benchmark.
        benchmarks={model: training_benchmarks(model) for model in MODELS},
        seed=SEED,
        bundle=ABOUT_BUNDLE,
        texts=texts_version(),
        footnote=PHANTOM_NOTE,
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
        results("comparison/instances.html"),
        results("comparison/subgroups.html"),
