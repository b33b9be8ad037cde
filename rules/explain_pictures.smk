"""What models of pictures look at: Grad-CAM on aligned crops, for the infants' pages."""


rule explain_pictures:
    input:
        predictions=results("predictions/{infant}.h5"),
        models=rules.list_models.output.models,
        fetched=fetched_models(fold_models(PICTURE_MODELS)),
        pixels=lambda wildcards: pixels_of(ASSESSED[wildcards.infant]),
    output:
        looks=results("looks/{infant}.h5"),
    log:
        results("logs/explain_pictures/{infant}.log"),
    benchmark:
        results("benchmarks/explain_pictures/{infant}.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(6000),
        runtime=growing(30),
    params:
        models=PICTURE_MODELS,
        n=CONFIG.report.pictures,
        code=code_of(
            "explain_pictures",
            *[MODEL_SYSTEMS.module(CONFIG.models[name].kind) for name in PICTURE_MODELS],
            libraries=("torch", "captum"),
        ),
    message:
        "Find what the models of pictures look at in infant {wildcards.infant}"
    script:
        "../workflow_scripts/explain_pictures.py"


rule draw_pictures:
    input:
        looks=results("looks/{infant}.h5"),
        pixels=lambda wildcards: pixels_of(ASSESSED[wildcards.infant]),
        background=lambda wildcards: paths(
            "background/{recording}.h5",
            [r for r in ASSESSED[wildcards.infant] if has_video(r.recording)],
        ),
        clean=lambda wildcards: paths("pose/clean/{recording}.h5", ASSESSED[wildcards.infant]),
    output:
        pictures=directory(results("report/pictures/{infant}")),
    log:
        results("logs/draw_pictures/{infant}.log"),
    benchmark:
        results("benchmarks/draw_pictures/{infant}.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        config=section("report", "faces", "overlay"),
        code=code_of("draw_pictures", libraries=("opencv-contrib-python-headless",)),
    message:
        "Draw what the models of pictures look at in infant {wildcards.infant}"
    script:
        "../workflow_scripts/draw_pictures.py"
