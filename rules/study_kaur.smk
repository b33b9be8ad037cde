"""The study of Kaur 2025 as a sweep over models, inputs, overlaps and splits: `kaur2025`."""

KAUR = CONFIG.kaur
KAUR_FOLDER = "{split}/{features}/overlap-{overlap}/{model}"
KAUR_FOLD = "{split}/{features}/overlap-{overlap}/{model}/fold-{fold}/candidate-{candidate}"


rule build_study_features:
    input:
        unpack(feature_inputs),
    output:
        features=results("kaur2025/features/{recording}.h5"),
        quality=results("kaur2025/quality/{recording}.json"),
    log:
        results("logs/build_study_features/{recording}.log"),
    benchmark:
        results("benchmarks/build_study_features/{recording}.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(4),
    params:
        config=STUDY_FEATURES.model_dump(mode="json"),
        quality=section("quality"),
        code=code_of(
            "build_features",
            *[FEATURE_SETS.module(name) for name in STUDY_FEATURES.sets],
            libraries=("numpy", "scipy"),
        ),
    message:
        "Build the features of {wildcards.recording} for the study of Kaur 2025"
    script:
        "../workflow_scripts/build_features.py"


rule train_study_model:
    input:
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        features=paths("kaur2025/features/{recording}.h5", recordings_of("development")),
    output:
        weights=results(f"kaur2025/{KAUR_FOLD}/weights.safetensors"),
        model=results(f"kaur2025/{KAUR_FOLD}/model.json"),
        history=results(f"kaur2025/{KAUR_FOLD}/history.tsv"),
    log:
        results(f"logs/train_study_model/{KAUR_FOLD}.log"),
    benchmark:
        results(f"benchmarks/train_study_model/{KAUR_FOLD}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(study_memory_mb),
        runtime=lambda wildcards: study_runtime(wildcards),
        gpu=one_gpu(GPU),
    params:
        config=lambda wildcards: study_config(wildcards, int(wildcards.candidate)),
        device=apart(CONFIG.training.device),
        classes=CLASSES,
        refusals="record",
        intervals=[],
        seed=SEED,
        work=lambda wildcards: results(f"work/kaur2025/{KAUR_FOLD}".format(**wildcards)),
        code=lambda wildcards: code_of(
            "train_model",
            MODEL_SYSTEMS.module(KAUR.models[wildcards.model].kind),
            libraries=("torch", "lightning", "numpy"),
        ),
    message:
        "Train {wildcards.model}, candidate {wildcards.candidate}, split by {wildcards.split}, {wildcards.features}, overlap {wildcards.overlap}, without fold {wildcards.fold}"
    script:
        "../workflow_scripts/train_model.py"


rule score_snippets:
    input:
        models=study_models,
        fetched=lambda wildcards: fetched_models(study_models(wildcards)),
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        external=lambda wildcards: (
            results("cohort/external.tsv") if STUDY.by_role(Role("external")) else []
        ),
        features=paths("kaur2025/features/{recording}.h5", recordings_of("development", "external")),
    output:
        scores=results(f"kaur2025/{KAUR_FOLDER}/scores.h5"),
    log:
        results(f"logs/score_snippets/{KAUR_FOLDER}.log"),
    benchmark:
        results(f"benchmarks/score_snippets/{KAUR_FOLDER}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(study_memory_mb),
        runtime=lambda wildcards: study_runtime(wildcards),
    params:
        candidates=lambda wildcards: [
            study_config(wildcards, k) for k in candidates_of(study_model(KAUR, wildcards.model))
        ],
        choices=lambda wildcards: KAUR.models[wildcards.model].choices(),
        classes=CLASSES,
        seed=SEED,
        code=lambda wildcards: code_of(
            "score_snippets",
            MODEL_SYSTEMS.module(KAUR.models[wildcards.model].kind),
            libraries=("torch", "numpy"),
        ),
    message:
        "Ask {wildcards.model}, split by {wildcards.split}, {wildcards.features}, overlap {wildcards.overlap}, about every snippet"
    script:
        "../workflow_scripts/score_snippets.py"


rule embed_snippets:
    input:
        models=lambda wildcards: study_models(closely_looked_at(wildcards.split)),
        fetched=lambda wildcards: fetched_models(study_models(closely_looked_at(wildcards.split))),
        scores=lambda wildcards: results(
            f"kaur2025/{KAUR_FOLDER}/scores.h5".format(**closely_looked_at(wildcards.split))
        ),
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        features=paths("kaur2025/features/{recording}.h5", recordings_of("development")),
    output:
        embedding=results("kaur2025/{split}/hidden-layer.h5"),
    log:
        results("logs/embed_snippets/{split}.log"),
    benchmark:
        results("benchmarks/embed_snippets/{split}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        candidates=lambda wildcards: [
            study_config(closely_looked_at(wildcards.split), k)
            for k in candidates_of(study_model(KAUR, similarity_of(KAUR)))
        ],
        model=similarity_of(KAUR),
        most=KAUR.similarity_snippets,
        classes=CLASSES,
        seed=SEED,
        code=lambda wildcards: code_of(
            "embed_snippets",
            MODEL_SYSTEMS.module(KAUR.models[similarity_of(KAUR)].kind),
            libraries=("torch", "numpy"),
        ),
    message:
        "Look at the last hidden layer of {params.model}, split by {wildcards.split}"
    script:
        "../workflow_scripts/embed_snippets.py"


rule decompose_snippets:
    input:
        folds=results("folds.tsv"),
        cohort=results("training/development.tsv"),
        features=paths("kaur2025/features/{recording}.h5", recordings_of("development")),
    output:
        components=results("kaur2025/components/{features}.tsv"),
    log:
        results("logs/decompose_snippets/{features}.log"),
    benchmark:
        results("benchmarks/decompose_snippets/{features}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=120,
    params:
        options=lambda wildcards: {
            "preset": "kaur2025",
            "feature_sets": KAUR.feature_sets[wildcards.features],
            "overlap_frames": KAUR.overlap,
            "centre": KAUR.options.get("centre", False),
            "window_s": KAUR.options.get("window_s", 10.0),
        },
        classes=CLASSES,
        seed=SEED,
        code=code_of("decompose_snippets", libraries=("scikit-learn", "scipy", "numpy")),
    message:
        "Decompose the snippets of {wildcards.features} into independent components"
    script:
        "../workflow_scripts/decompose_snippets.py"


rule report_kaur2025:
    input:
        scores=[results(f"kaur2025/{KAUR_FOLDER}/scores.h5".format(**job)) for job in STUDY_JOBS],
        embeddings=[results(f"kaur2025/{split}/hidden-layer.h5") for split in LOOKED_AT],
        components=[results(f"kaur2025/components/{name}.tsv") for name in KAUR.feature_sets],
        cohort=cohort_tables,
    output:
        page=results("kaur2025/index.html"),
        text=results("kaur2025/table.txt"),
        table=results("kaur2025/table.tsv"),
        optimism=results("kaur2025/optimism.tsv"),
        choices=results("kaur2025/choices.tsv"),
        left_out=results("kaur2025/left-out.tsv"),
        overlap_figure=results("kaur2025/figure-2.svg"),
        overlap_data=results("kaur2025/figure-2.tsv"),
        components_figure=results("kaur2025/figure-3a.svg"),
        components=results("kaur2025/figure-3a.tsv"),
        similarity_figures=[results(f"kaur2025/figure-3b-{s}.svg") for s in LOOKED_AT],
        similarity_tables=[results(f"kaur2025/figure-3b-{s}.tsv") for s in LOOKED_AT],
        similarity=results("kaur2025/figure-3b.h5"),
    log:
        results("logs/report_kaur2025.log"),
    benchmark:
        results("benchmarks/report_kaur2025.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        config=section("kaur"),
        evaluation=section("evaluation", "confidence", "bootstrap"),
        notes=differences(CONFIG.kaur, CONFIG.features, CONFIG.folds, CONFIG.training),
        classes=CLASSES,
        seed=SEED,
        texts=texts_version(),
        footnote=PHANTOM_NOTE,
        code=code_of(
            "report_kaur2025",
            libraries=("jinja2", "matplotlib", "numpy", "scikit-learn", "scipy"),
            data=PAGE_FILES,
        ),
    message:
        "Report the study of Kaur 2025"
    script:
        "../workflow_scripts/report_kaur2025.py"


rule kaur2025:
    input:
        rules.report_kaur2025.output.page,
