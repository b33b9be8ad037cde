"""Bundles: what all that gives an answer is made with, and what is refused before any job."""

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
