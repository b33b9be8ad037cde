"""Bundles: models given to others (`snakemake bundle`), and models of others (`bundle:`)."""

from fidgety.bundle.settings import (
    check_privacy,
    check_stages,
    keeps_infants,
    needed_files,
    published_models,
    shared_model,
    shared_sections,
)
from fidgety.fingerprint import library_versions

PUBLISHED = published_models(CONFIG)
BUNDLE_LIBRARIES = (
    *("av", "lightning", "mediapipe", "numpy", "opencv-contrib-python-headless"),
    *("pandas", "scikit-learn", "scipy", "torch"),
)
# What makes a model's input and its answer: code and libraries must be the same elsewhere.
ANSWERING = {
    "standardise_video": rules.standardise_video,
    "extract_background": rules.extract_background,
    "estimate_pose": rules.estimate_pose,
    "import_pose": rules.import_pose,
    "clean_pose": rules.clean_pose,
    **({} if LIFTED_BY_CLEANING else {"lift_pose": rules.lift_pose}),
    "build_features": rules.build_features,
}


def answering_code(models):
    """Return the code fingerprint of every stage from the video to the answer of some models."""
    kinds = sorted({CONFIG.models[name].kind for name in models})
    predicting = code_of(
        "predict_infant", *map(MODEL_SYSTEMS.module, kinds), libraries=("torch", "numpy")
    )
    looking = {"build_pixels": rules.build_pixels} if READ_PIXELS.intersection(kinds) else {}
    found = {name: rule.params.code for name, rule in (ANSWERING | looking).items()}
    return found | {"predict_infant": predicting}


def stop(findings):
    """End with findings, if there are any."""
    if findings:
        raise WorkflowError("\n".join(findings))


if BUNDLE:
    try:
        check_stages(BUNDLE.manifest, answering_code(MODELS), library_versions(BUNDLE_LIBRARIES))
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None
    stop(
        [
            f"{target}: trains models or gives away those that were trained here; with `bundle` "
            "there are none. Leave `bundle` out of the configuration."
            for target in ("bundle", "kaur2025", "gao2023")
            if is_asked_for(target)
        ]
    )
elif is_asked_for("bundle"):
    stop(check_privacy(CONFIG) if PUBLISHED else ["bundle: there are no models in `models`."])


rule write_bundle:
    input:
        models=fold_models(PUBLISHED),
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
        mem_mb=1000,
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
