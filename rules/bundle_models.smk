"""Models given to others: `snakemake bundle`."""


rule write_bundle:
    input:
        models=fold_models(PUBLISHED),
        fetched=fetched_models(fold_models(PUBLISHED)),
        folds=FOLDS_TABLE,
        development=results("cohort/development.tsv"),
        reference=results("cohort/reference.tsv") if recordings_of("reference") else [],
        summary=rules.evaluate.output.summary,
    output:
        archive=results("bundle.zip"),
        folder=directory(results("bundle")),
    log:
        results("logs/write_bundle.log"),
    benchmark:
        results("benchmarks/write_bundle.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
    params:
        model_of=[(model, fold) for model in PUBLISHED for fold in FOLDS],
        models={name: shared_model(CONFIG.models[name]) for name in PUBLISHED},
        refused=check_privacy(CONFIG),
        with_infants=[name for name in PUBLISHED if keeps_infants(CONFIG.models[name])],
        classes=CLASSES,
        configuration=lambda wildcards: shared_sections(CONFIG),
        needs=lambda wildcards: needed_files(CONFIG, lambda path: source_checksum(path, SOURCES)),
        stages=lambda wildcards: answering_code(PUBLISHED),
        libraries=BUNDLE_LIBRARIES,
        confidence=CONFIG.evaluation.confidence,
        licence=CONFIG.publish.licence,
        contact=CONFIG.publish.contact,
        code=code_of("write_bundle"),
    message:
        "Bundle the models for use elsewhere"
    script:
        "../workflow_scripts/write_bundle.py"


rule bundle:
    input:
        rules.write_bundle.output,
