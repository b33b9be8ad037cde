"""Training, one job a model and fold, and prediction, one job an infant."""


rule train_model:
    input:
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        reference=lambda wildcards: (
            results("training/reference.tsv") if reference_of(wildcards) else []
        ),
        features=lambda wildcards: read_by(
            CONFIG.models[wildcards.model],
            [*recordings_of("development"), *reference_of(wildcards)],
        ),
    output:
        weights=results("models/{model}/fold-{fold}/weights.safetensors"),
        model=results("models/{model}/fold-{fold}/model.json"),
        history=results("models/{model}/fold-{fold}/history.tsv"),
    log:
        results("logs/train_model/{model}-fold-{fold}.log"),
    benchmark:
        results("benchmarks/train_model/{model}-fold-{fold}.tsv")
    wildcard_constraints:
        model=one_of(WITHOUT_GRID),
    conda:
        "../envs/learn.yaml"
    threads: lambda wildcards: PIXEL_READERS if reads_pixels(wildcards) else 1
    resources:
        mem_mb=growing(lambda wildcards: training_memory(CONFIG.models[wildcards.model])),
        runtime=lambda wildcards: 24 * 60 if reads_pixels(wildcards) else 240,
        gpu=one_gpu(GPU),
    params:
        config=lambda wildcards: training_config(CONFIG.models[wildcards.model]),
        device=apart(CONFIG.training.device),
        classes=CLASSES,
        intervals=lambda wildcards: intervals_of(reference_of(wildcards)),
        characteristics=lambda wildcards: characteristics_of(
            recordings_of("development"), [CONFIG.models[wildcards.model]]
        ),
        files_sha256=lambda wildcards: checksums_of_model_files(CONFIG.models[wildcards.model]),
        seed=SEED,
        work=lambda wildcards: results(f"work/{wildcards.model}/fold-{wildcards.fold}"),
        code=lambda wildcards: code_of(
            "train_model",
            MODEL_SYSTEMS.module(CONFIG.models[wildcards.model].kind),
            libraries=("torch", "lightning", "numpy"),
        ),
    message:
        "Train {wildcards.model} without fold {wildcards.fold}"
    script:
        "../workflow_scripts/train_model.py"


use rule train_model as train_candidate with:
    output:
        weights=results("models/{model}/fold-{fold}/candidate-{candidate}/weights.safetensors"),
        model=results("models/{model}/fold-{fold}/candidate-{candidate}/model.json"),
        history=results("models/{model}/fold-{fold}/candidate-{candidate}/history.tsv"),
    log:
        results("logs/train_candidate/{model}-fold-{fold}-candidate-{candidate}.log"),
    benchmark:
        results("benchmarks/train_candidate/{model}-fold-{fold}-candidate-{candidate}.tsv")
    wildcard_constraints:
        model=one_of(WITH_GRID),
    params:
        config=lambda wildcards: training_config(
            CONFIG.models[wildcards.model], int(wildcards.candidate)
        ),
        work=lambda wildcards: results(
            f"work/{wildcards.model}/fold-{wildcards.fold}-candidate-{wildcards.candidate}"
        ),
    message:
        "Train candidate {wildcards.candidate} of {wildcards.model} without fold {wildcards.fold}"


rule select_model:
    input:
        models=candidate_models,
        fetched=lambda wildcards: fetched_models(candidate_models(wildcards), "history.tsv"),
    output:
        weights=results("models/{model}/fold-{fold}/weights.safetensors"),
        model=results("models/{model}/fold-{fold}/model.json"),
        history=results("models/{model}/fold-{fold}/history.tsv"),
    log:
        results("logs/select_model/{model}-fold-{fold}.log"),
    benchmark:
        results("benchmarks/select_model/{model}-fold-{fold}.tsv")
    wildcard_constraints:
        model=one_of(WITH_GRID),
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        choices=lambda wildcards: CONFIG.models[wildcards.model].choices(),
        code=code_of("select_model"),
    message:
        "Choose among the candidates of {wildcards.model} without fold {wildcards.fold}"
    script:
        "../workflow_scripts/select_model.py"


rule list_models:
    input:
        models=fold_models(MODELS),
    output:
        models=f"{MODELS_FOLDER}/models.tsv",
    log:
        results("logs/list_models.log"),
    benchmark:
        results("benchmarks/list_models.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=10,
    params:
        code=code_of("list_models", libraries=("pandas",)),
    message:
        "List the fold models"
    script:
        "../workflow_scripts/list_models.py"


rule predict_infant:
    input:
        features=lambda wildcards: paths("features/{recording}.h5", ASSESSED[wildcards.infant]),
        pixels=lambda wildcards: pixels_of(ASSESSED[wildcards.infant]),
        clean=lambda wildcards: paths("pose/clean/{recording}.h5", ASSESSED[wildcards.infant]),
        models=rules.list_models.output.models,
        fetched=fetched_models(fold_models(MODELS)),
        folds=FOLDS_TABLE,
    output:
        predictions=results("predictions/{infant}.h5"),
    log:
        results("logs/predict_infant/{infant}.log"),
    benchmark:
        results("benchmarks/predict_infant/{infant}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000 if WITH_PIXELS else 2000),
        runtime=growing(30 if WITH_PIXELS else 3),
    params:
        infant=lambda wildcards: wildcards.infant,
        recordings=lambda wildcards: [r.recording for r in ASSESSED[wildcards.infant]],
        role=lambda wildcards: STUDY.role(ASSESSED[wildcards.infant][0].recording).value,
        inclusion={"min_duration_s": criteria(CONFIG.inclusion).min_duration_s},
        other_units=CONFIG.evaluation.other_units,
        bundle=ABOUT_BUNDLE.get("identity", ""),
        characteristics=lambda wildcards: characteristics_of(
            ASSESSED[wildcards.infant], CONFIG.models.values()
        ),
        code=code_of(
            "predict_infant",
            *[MODEL_SYSTEMS.module(m.kind) for m in CONFIG.models.values()],
            libraries=("torch", "numpy"),
        ),
    message:
        "Assess infant {wildcards.infant}"
    script:
        "../workflow_scripts/predict_infant.py"
