"""The study of Gao 2023: MAM, its ablations and inputs, beside the main line's models: `gao2023`."""


use rule build_features as build_gao_features with:
    output:
        features=results("gao2023/features/{recording}.h5"),
        quality=results("gao2023/quality/{recording}.json"),
    log:
        results("logs/build_gao_features/{recording}.log"),
    benchmark:
        results("benchmarks/build_gao_features/{recording}.tsv")
    params:
        config=GAO_FEATURES.model_dump(mode="json"),
        quality=section("quality"),
        code=code_of(
            "build_features",
            *[FEATURE_SETS.module(name) for name in GAO_FEATURES.sets],
            libraries=("numpy", "scipy"),
        ),
    message:
        "Build the features of {wildcards.recording} for the study of Gao 2023"


use rule train_model as train_gao_model with:
    input:
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        reference=lambda wildcards: (
            results("training/reference.tsv") if gao_reference(wildcards) else []
        ),
        features=lambda wildcards: paths(
            "gao2023/features/{recording}.h5",
            [*recordings_of("development"), *gao_reference(wildcards)],
        ),
    output:
        weights=results("gao2023/models/{model}/fold-{fold}/weights.safetensors"),
        model=results("gao2023/models/{model}/fold-{fold}/model.json"),
        history=results("gao2023/models/{model}/fold-{fold}/history.tsv"),
    log:
        results("logs/train_gao_model/{model}-fold-{fold}.log"),
    benchmark:
        results("benchmarks/train_gao_model/{model}-fold-{fold}.tsv")
    wildcard_constraints:
        model=one_of(GAO_MODELS),
    threads: 1
    resources:
        mem_mb=growing(gao_memory),
        runtime=lambda wildcards: gao_minutes(wildcards),
        gpu=one_gpu(GPU),
    params:
        config=lambda wildcards: training_config(GAO_MODELS[wildcards.model]),
        intervals=lambda wildcards: intervals_of(gao_reference(wildcards)),
        characteristics=lambda wildcards: characteristics_of(
            recordings_of("development"), [GAO_MODELS[wildcards.model]]
        ),
        files_sha256={},
        work=lambda wildcards: results(f"work/gao2023/{wildcards.model}/fold-{wildcards.fold}"),
        code=code_of(
            "train_model",
            MODEL_SYSTEMS.module("mam"),
            libraries=("torch", "lightning", "numpy"),
        ),
    message:
        "Train {wildcards.model} of the study of Gao 2023 without fold {wildcards.fold}"


use rule list_models as list_gao_models with:
    input:
        models=gao_fold_models(GAO_MODELS),
    output:
        models=results("gao2023/models/models.tsv"),
    log:
        results("logs/list_gao_models.log"),
    benchmark:
        results("benchmarks/list_gao_models.tsv")
    message:
        "List the fold models of the study of Gao 2023"


use rule predict_infant as predict_gao_infant with:
    input:
        features=lambda wildcards: paths(
            "gao2023/features/{recording}.h5", ASSESSED[wildcards.infant]
        ),
        clean=lambda wildcards: paths("pose/clean/{recording}.h5", ASSESSED[wildcards.infant]),
        models=rules.list_gao_models.output.models,
        fetched=fetched_models(gao_fold_models(GAO_MODELS)),
        folds=results("folds.tsv"),
    output:
        predictions=results("gao2023/predictions/{infant}.h5"),
    log:
        results("logs/predict_gao_infant/{infant}.log"),
    benchmark:
        results("benchmarks/predict_gao_infant/{infant}.tsv")
    resources:
        mem_mb=growing(2000),
        runtime=growing(6),
    params:
        characteristics=lambda wildcards: characteristics_of(
            ASSESSED[wildcards.infant], GAO_MODELS.values()
        ),
        code=code_of("predict_infant", MODEL_SYSTEMS.module("mam"), libraries=("torch", "numpy")),
    message:
        "Assess infant {wildcards.infant} in the study of Gao 2023"


rule explain_gao_model:
    input:
        predictions=gao_predictions,
        models=gao_fold_models([CONFIG.gao.model]),
        fetched=fetched_models(gao_fold_models([CONFIG.gao.model])),
    output:
        contributions=results("gao2023/contributions.tsv"),
        weights=results("gao2023/figure-4a.tsv"),
    log:
        results("logs/explain_gao_model.log"),
    benchmark:
        results("benchmarks/explain_gao_model.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=120,
    params:
        model=CONFIG.gao.model,
        characteristics=lambda wildcards: characteristics_of(
            recordings_of(*ASSESSED_ROLES), GAO_MODELS.values()
        ),
        seed=SEED,
        code=code_of(
            "explain_gao_model", MODEL_SYSTEMS.module("mam"), libraries=("torch", "numpy", "shap")
        ),
    message:
        "Split the probabilities of {params.model} into contributions"
    script:
        "../workflow_scripts/explain_gao_model.py"


rule report_gao2023:
    input:
        predictions=gao_predictions,
        main=lambda wildcards: collect_predictions(wildcards) if GAO_BESIDE else [],
        contributions=rules.explain_gao_model.output.contributions,
        weights=rules.explain_gao_model.output.weights,
        cohort=cohort_tables,
    output:
        page=results("gao2023/index.html"),
        text=results("gao2023/table.txt"),
        characteristics=results("gao2023/table-1.tsv"),
        metrics=results("gao2023/table-2.tsv"),
        tests=results("gao2023/tests.tsv"),
        infants=results("gao2023/infants.tsv"),
        kappa=results("gao2023/kappa.tsv"),
        frequency=results("gao2023/frequency.tsv"),
        contrasts=results("gao2023/contrasts.tsv"),
        examples_data=results("gao2023/figure-3a.tsv"),
        curve=results("gao2023/figure-3d.tsv"),
        examples=results("gao2023/figure-3a.svg"),
        kappa_figure=results("gao2023/figure-3b.svg"),
        groups_figure=results("gao2023/figure-3c.svg"),
        roc_figure=results("gao2023/figure-3d.svg"),
        types_figure=results("gao2023/figure-3e.svg"),
        weight_figure=results("gao2023/figure-4a.svg"),
        contributions_figure=results("gao2023/contributions.svg"),
    log:
        results("logs/report_gao2023.log"),
    benchmark:
        results("benchmarks/report_gao2023.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=60,
    params:
        config=section("gao"),
        evaluation=section("evaluation", without=COMPARE_KEYS),
        models=list(GAO_MODELS),
        beside={name: beside_name(CONFIG.gao, name) for name in GAO_BESIDE},
        intervals=lambda wildcards: assessed_intervals(),
        notes=gao_differences(CONFIG.gao, AROUND_THE_STUDY),
        classes=CLASSES,
        seed=SEED,
        texts=texts_version(),
        footnote=PHANTOM_NOTE,
        code=code_of(
            "report_gao2023",
            libraries=("jinja2", "matplotlib", "numpy", "scikit-learn", "scipy"),
            data=PAGE_FILES,
        ),
    message:
        "Report the study of Gao 2023"
    script:
        "../workflow_scripts/report_gao2023.py"


rule gao2023:
    input:
        rules.report_gao2023.output.page,
