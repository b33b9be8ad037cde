"""Methods text to paste into a paper, made from the configuration that was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fidgety import __version__
from fidgety.background.mediapipe_options import MediapipeMaskOptions
from fidgety.config.inclusion import InclusionConfig
from fidgety.inclusion import criteria
from fidgety.models.registry import FIND_FIDGETY, READ_PIXELS
from fidgety.pose.lifters.mmpose_options import MMPoseLifterOptions
from fidgety.pose.mmpose_options import MMPoseOptions
from fidgety.report.wording import bundle_words, count
from fidgety.training.results import KAUR_NORMAL_SHARE

REFERENCES = {
    "aeon": "Middlehurst M, Ismail-Fawaz A, Guillaume A, et al. aeon: a Python toolkit for "
    "learning from time series. J Mach Learn Res 2024;25(289):1-10.",
    "akima": "Akima H. A new method of interpolation and smooth curve fitting based on local "
    "procedures. J ACM 1970;17:589-602.",
    "blazepose": "Bazarevsky V, Grishchenko I, Raveendran K, et al. BlazePose: on-device real-time "
    "body pose tracking. arXiv:2006.10204, 2020.",
    "chen": "Chen Y, Zhang Z, Yuan C, Li B, Deng Y, Hu W. Channel-wise topology refinement graph "
    "convolution for skeleton-based action recognition. ICCV 2021:13359-13368.",
    "cox": "Cox DR. Two further applications of a model for binary regression. Biometrika "
    "1958;45:562-565.",
    "efron": "Efron B. Better bootstrap confidence intervals. J Am Stat Assoc 1987;82:171-185.",
    "gao": "Gao Q, Yao S, Tian Y, et al. Automating General Movements Assessment with quantitative "
    "deep learning to facilitate early screening of cerebral palsy. Nat Commun 2023;14:8294.",
    "hashimoto": "Hashimoto Y, Furui A, Shimatani K, et al. Automated classification of general "
    "movements in infants using two-stream spatiotemporal fusion network. MICCAI 2022:753-762.",
    "hydra": "Dempster A, Schmidt DF, Webb GI. Hydra: competing convolutional kernels for fast and "
    "accurate time series classification. Data Min Knowl Discov 2023;37:1779-1805.",
    "kaur": "Kaur M, Abbasi H, Williams SA, Battin MR, Besier TF, McMorland AJC. Training General "
    "Movements classifiers with global labels offers insights on sub-movement quality. 2025.",
    "luo": "Luo T, Xiao J, Zhang C, et al. Weakly supervised online action detection for infant "
    "general movements. MICCAI 2022:721-731.",
    "mccay": "McCay KD, Hu P, Shum HPH, et al. A pose-based feature fusion and classification "
    "framework for the early prediction of cerebral palsy in infants. IEEE Trans Neural Syst "
    "Rehabil Eng 2022;30:8-19.",
    "mmpose": "MMPose Contributors. OpenMMLab pose estimation toolbox and benchmark. 2020.",
    "multirocket": "Tan CW, Dempster A, Bergmeir C, Webb GI. MultiRocket: multiple pooling "
    "operators and transformations for fast and effective time series classification. Data Min "
    "Knowl Discov 2022;36:1623-1646.",
    "newcombe": "Newcombe RG. Confidence intervals for an effect size measure based on the "
    "Mann-Whitney statistic. Part 2. Stat Med 2006;25:559-573.",
    "nguyenthai": "Nguyen-Thai B, Le V, Morgan C, Badawi N, Tran T, Venkatesh S. A spatio-temporal "
    "attention-based model for infant movement assessment from videos. IEEE J Biomed Health Inform "
    "2021;25:3911-3920.",
    "sklearn": "Pedregosa F, Varoquaux G, Gramfort A, et al. Scikit-learn: machine learning in "
    "Python. J Mach Learn Res 2011;12:2825-2830.",
    "snakemake": "Mölder F, Jablonski KP, Letcher B, et al. Sustainable data analysis with "
    "Snakemake. F1000Research 2021;10:33.",
    "torch": "Paszke A, Gross S, Massa F, et al. PyTorch: an imperative style, high-performance "
    "deep learning library. NeurIPS 2019.",
    "u2net": "Qin X, Zhang Z, Huang C, et al. U2-Net: going deeper with nested U-structure for "
    "salient object detection. Pattern Recognit 2020;106:107404.",
    "vickers": "Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating "
    "prediction models. Med Decis Making 2006;26:565-574.",
    "wilson": "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212.",
    "youden": "Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.",
    "zou": "Zou GY, Donner A. Construction of confidence limits about effect measures: a general "
    "approach. Stat Med 2008;27:1693-1702.",
}

_MODEL_TEXTS = {
    "cnn1d": "a 1D convolutional network on snippets that carry their infant's label",
    "lstm": "long short-term memory layers on snippets that carry their infant's label",
    "vit": "a Vision Transformer whose tokens are the frames of snippets that carry their infant's "
    "label",
    "svm": "a support vector machine on flattened snippets that carry their infant's label, fitted "
    "with scikit-learn",
    "multirocket_hydra": "random convolutions with a ridge classifier (MultiRocket-Hydra, as "
    "in aeon) on snippets that carry their infant's label",
    "mam": "the motor assessment model: clip encoder, attention pooling over an infant's "
    "instances, a branch of annotated reference clips and a branch of the infant's characteristics",
    "mam_clip": "the clip encoder of the motor assessment model with attention pooling over an "
    "infant's instances",
    "eml": "histograms of the limbs' orientation and displacement and of their spectra with "
    "classical classifiers (EML), fitted with scikit-learn",
    "stam": "graph convolutions over the skeleton with attention over joints and clips (STAM) on "
    "sub-sequences that carry their infant's label",
    "wo_gma": "weakly supervised online detection (WO-GMA): graph convolutions over short clips, "
    "proposals and a one-way recurrent network over an infant's clips",
    "ctr_gcn": "graph convolutions over the skeleton with a topology refined for every channel "
    "(CTR-GCN) on windows that carry their infant's label",
    "two_stream": "a two-stream network on clips, a picture and the optical flow around it, that "
    "carry their infant's label",
}
_MODEL_SOURCES = {
    "cnn1d": ("kaur",),
    "lstm": ("kaur",),
    "vit": ("kaur",),
    "svm": ("kaur",),
    "multirocket_hydra": ("multirocket", "hydra", "aeon"),
    "mam": ("gao",),
    "mam_clip": ("gao",),
    "eml": ("mccay",),
    "stam": ("nguyenthai",),
    "wo_gma": ("luo",),
    "ctr_gcn": ("chen",),
    "two_stream": ("hashimoto",),
}
#: Models whose instances carry a class each (:mod:`fidgety.training.results`).
INSTANCE_KINDS = (
    *("cnn1d", "lstm", "vit", "svm", "multirocket_hydra"),
    *("stam", "ctr_gcn", "two_stream"),
)
_CHARACTERISTICS = {
    "gestational_age_weeks": "gestational age",
    "birth_weight_g": "birth weight",
    "corrected_age_weeks": "corrected age",
}
_SMOOTHING = {
    "moving_average": "a moving average over {window} frames",
    "savitzky_golay": "a Savitzky-Golay filter (order {order}, {window} frames)",
    "butterworth": "a Butterworth filter (order {order}, {cutoff:g} Hz)",
}


@dataclass(frozen=True)
class Methods:
    """Methods text.

    Parameters
    ----------
    paragraphs
        (heading, text); references stand as numbers in brackets.
    references
        In the order of their numbers.
    """

    paragraphs: tuple[tuple[str, str], ...]
    references: tuple[str, ...]


class _Citations:
    """Numbers references in the order of their first use."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str) -> str:
        for key in keys:
            if key not in self.keys:
                self.keys.append(key)
        return "[" + ", ".join(str(self.keys.index(k) + 1) for k in keys) + "]"


def _background(config: Mapping[str, Any], cite: _Citations) -> str:
    source = {
        "u2net": f" with U2-Net {cite('u2net')}" if config["method"] == "u2net" else "",
        "mediapipe": " with MediaPipe's segmentation of people",
        "median": " as the difference from the median picture",
    }.get(config["method"], f" with {config['method']}")
    seen = "" if config["apply"] == "none" else f" What was behind it: {config['apply']}."
    alone = ""
    if (
        config["method"] == "mediapipe"
        and MediapipeMaskOptions.model_validate(config["options"]).follows_one
    ):
        alone = " It follows one person: others in view were not counted."
    return f"The infant's body was segmented{source}.{alone}{seen}"


def _pose(config: Mapping[str, Any], cite: _Citations) -> str:
    if config["method"] == "mediapipe":
        what = f"BlazePose {cite('blazepose')} (33 keypoints, MediaPipe, full model)"
    elif config["method"] == "mmpose":
        options = MMPoseOptions.model_validate(config["options"])
        what = f"the model {Path(options.config).stem} of MMPose {cite('mmpose')}"
        what += ", averaged with the mirrored picture's" if options.flip_test else ""
    else:
        what = str(config["method"])
    turned = (
        "the picture being turned so that the head was up, by an angle found from sampled frames"
        if config["orientation"] == "auto"
        else f"the picture being turned by {config['orientation']} degrees"
    )
    return (
        f"Keypoints were estimated frame by frame with {what}, {turned}. Recordings with a body "
        f"in fewer than {100 * config['min_detected']:.0f} % of the frames were not assessable."
    )


def _imported(recordings: int, estimated: int) -> str:
    """Say how many recordings came with another program's tracks."""
    others = "all recordings" if not estimated else count(recordings, "recording")
    return f"Keypoints of {others} came from tracks of other programs."


def _outliers(config: Mapping[str, Any]) -> str:
    bones = {
        "auto": "by bone lengths (where the tracks' units are lengths) and ",
        "always": "by bone lengths and ",
        "never": "",
    }[config["bone_check"]]
    # The joints are looked at where the bones are, and need depth (fidgety.pose.cleaning).
    limits = (
        " In 3D positions, knees and elbows bent beyond anatomical limits were outliers too."
        if config["joint_limits"] and bones
        else ""
    )
    return (
        f"Keypoints with a confidence below {config['min_confidence']:g} were taken as missing. "
        f"Outliers were found {bones}by their distance from a running median "
        f"({config['jump_window_s']:g} s, {config['jump_threshold']:g} robust standard "
        f"deviations).{limits}"
    )


def _gaps(config: Mapping[str, Any], cite: _Citations) -> str:
    longest, curve = config["max_gap_s"], config["makima_gap_s"]
    if longest == 0:
        return "Gaps were not filled."
    filled = (
        f"Gaps up to {min(longest, curve):g} s were filled by modified Akima interpolation "
        f"{cite('akima')}"
    )
    if curve < longest:
        filled += (
            f", longer ones up to {longest:g} s by that curve drawn towards the straight line "
            f"between the gap's ends (its distance from the line times {curve:g} s over the gap's "
            "length)"
        )
    return f"{filled}; still longer gaps and those at the ends of a recording stayed missing."


def _smoothing(config: Mapping[str, Any]) -> str:
    if config["smoothing"] == "none":
        return "Tracks were not smoothed."
    text = _SMOOTHING[config["smoothing"]].format(
        window=config["smoothing_window_frames"],
        order=config["smoothing_order"],
        cutoff=config["cutoff_hz"],
    )
    least = config["smoothing_min_jitter"]
    if least == 0:
        return f"All keypoints' tracks were smoothed by {text}."
    return (
        f"Keypoints whose jitter (robust standard deviation of a coordinate's fourth differences, "
        f"over a recording) was at least {least:g} trunk lengths were smoothed by {text}; all "
        "others were left as they were."
    )


def _cleaning(config: Mapping[str, Any], cite: _Citations) -> str:
    steps = [_outliers(config)]
    if config["fix_swaps"]:
        steps.append("Stretches with left and right exchanged were exchanged back.")
    steps += [_gaps(config, cite), _smoothing(config)]
    steps.append(
        f"Recordings with more than {100 * config['max_missing']:.0f} % of the values missing "
        "after that were not assessable."
    )
    return " ".join(steps)


def _lifting(config: Mapping[str, Any], cite: _Citations) -> str:
    """Say which network gave the third dimension; what the estimator gave itself needs no word."""
    if config["method"] != "mmpose":
        return ""
    options = MMPoseLifterOptions.model_validate(config["options"])
    # A config of one's own is named by its file alone: its folder may tell who did the study.
    return (
        f" Clean 2D positions were lifted to 3D by the network {Path(options.config).stem} of "
        f"MMPose {cite('mmpose')}, which learned from adults."
    )


def _corrected(recordings: int) -> str:
    """Say how many recordings a person put right, if any."""
    if not recordings:
        return ""
    return (
        f" Keypoints of {count(recordings, 'recording')} were put right by hand: what a person "
        "placed was never taken out or smoothed, and what a person took out counted as missing."
    )


def _quality(config: Mapping[str, Any]) -> str:
    """Say from which limits on a recording is not assessable; those that are off need no word."""
    limits = []
    if config["min_measured"] > 0:
        limits.append(f"less than {_share(config['min_measured'])} of trunk, head, limbs measured")
    if config["max_gap_s"] is not None:
        limits.append(f"one of their keypoints missing for more than {config['max_gap_s']:g} s")
    if config["min_supine"] > 0:
        limits.append(
            f"seen from the front (shoulders and hips at least {config['side_width']:g} wide) for "
            f"less than {_share(config['min_supine'])} of the time"
        )
    for key, text in (
        ("max_other_person", "somebody else in view"),
        ("max_camera_moving", f"the camera faster than {config['camera_speed']:g} a second"),
        (
            "max_fussing",
            "fussing or crying suspected (the median hand or foot faster than "
            f"{config['fussing_speed']:g} a second for at least {config['fussing_s']:g} s)",
        ),
        (
            "max_still",
            "sleep suspected (no hand or foot spread further around its mean place than "
            f"{config['still_extent']:g} within a second, root mean square)",
        ),
    ):
        if config[key] < 1:
            limits.append(f"{text} for more than {_share(config[key])} of the time")
    if config["min_assessable_s"] > 0:
        limits.append(f"less than {config['min_assessable_s']:g} s fit in all")
    if not limits:
        return "No limits of quality were set."
    return (
        f"Recordings were not assessable with any of: {'; '.join(limits)}. Lengths are in trunk "
        "lengths. What could not be told was no reason; suspicions are by movement alone."
    )


def _share(value: float) -> str:
    return f"{100 * value:g} %"


def _features(config: Mapping[str, Any]) -> str:
    origin = {"none": "left where it was"}.get(config["origin"], f"moved to the {config['origin']}")
    scale = {
        "trunk": "lengths were divided by the recording's median trunk length",
        "none": "lengths were not scaled",
    }[config["scale"]]
    upright = " and the body was turned upright by one angle a recording"
    return (
        f"The origin was {origin}, {scale}{upright if config['upright'] else ''}. "
        f"Feature sets: {', '.join(config['sets'])}."
    )


_FLOWS = {
    "farneback": "Farneback's method",
    "dis": "dense inverse search",
    "raft": "RAFT",
}


def _pixels(study: Mapping[str, Any], cite: _Citations) -> str:
    """Tell what models of pictures read; nothing where there are none."""
    if not any(model["kind"] in READ_PIXELS for model in study["models"].values()):
        return ""
    config = study["pixels"]
    return (
        "Of videos, the background was multiplied out by the soft mask, and one similarity "
        "transform a recording, from shoulders and hips in the middle half of the frames ordered "
        f"by the trunk's length, gave crops of {config['size_px']} pixels in which the head is up "
        f"{cite('hashimoto')}. Optical flow of the crops was computed by {_FLOWS[config['flow']]} "
        f"at {config['rate_hz']:g} fields a second."
    )


def _start(model: Mapping[str, Any]) -> str:
    """Say what weights a network of pictures started from."""
    if model["kind"] not in READ_PIXELS:
        return ""
    options = model.get("options", {})
    backbone = options.get("backbone", "resnet50")
    named = f"weights of the file {Path(options['weights']).name}" if options.get("weights") else ""
    return f" ({backbone}, trained from {named or 'random weights'})"


def _models(study: Mapping[str, Any], cite: _Citations) -> str:
    parts = []
    for name, model in sorted(study["models"].items()):
        kind = model["kind"]
        source = f" {cite(*_MODEL_SOURCES[kind])}" if kind in _MODEL_SOURCES else ""
        parts.append(f"{name}: {_MODEL_TEXTS.get(kind, kind)}{_start(model)}{source}")
    return f"Models: {'; '.join(parts)}.{_grids(study)}"


def _grids(study: Mapping[str, Any]) -> str:
    """Say which options were chosen on validation infants, of what."""
    offered = []
    for name, model in sorted(study["models"].items()):
        grids = [
            " x ".join(f"{key} in {{{', '.join(map(_option, found))}}}" for key, found in g.items())
            for g in model.get("grid", ())
        ]
        offered += [f"{name}: {' or '.join(grids)}"] if grids else []
    if not offered or not study["folds"]["validation_share"]:
        return ""
    return (
        f" Options were chosen within every fold by the lowest loss on its validation infants "
        f"({'; '.join(offered)})."
    )


def _option(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, list | tuple) else str(value)


def threshold_sentence(study: Mapping[str, Any], youden: str = "") -> str:
    """Say how thresholds came about; the rules of :mod:`fidgety.training.thresholds`.

    Parameters
    ----------
    study
        The whole configuration as plain values.
    youden
        The citation of Youden's paper, a space before it.
    """
    judged, share = study["evaluation"], study["folds"]["validation_share"]
    rule = judged["threshold"]
    if not isinstance(rule, str):
        return f"The threshold of every fold model was fixed in advance at {rule:g}."
    if not share:
        return "The threshold of every fold model was 0.5."
    if rule == "sensitivity":
        return (
            "Each fold model's threshold was the highest with a sensitivity of at least "
            f"{judged['wanted_sensitivity']:g} on the fold's validation infants, or 0.5 where "
            "these were not of both groups."
        )
    return (
        f"Each fold model's threshold was chosen by Youden's index{youden} on the fold's "
        "validation infants, or was 0.5 where these were not of both groups or their scores did "
        "not tell the groups apart."
    )


def _training(study: Mapping[str, Any], cite: _Citations) -> str:
    folds, training = study["folds"], study["training"]
    # References are numbered as they come: the sentences are made in the order of the text.
    models = f"{_models(study, cite)} Training used PyTorch {cite('torch')}"
    share = folds["validation_share"]
    by_youden = study["evaluation"]["threshold"] == "youden" and share
    threshold = threshold_sentence(study, f" {cite('youden')}" if by_youden else "")
    kept = (
        f"{100 * share:.0f} % of a fold's training infants were kept for early stopping and "
        "thresholds."
        if share
        else "No training infant was kept for validation; networks trained for a fixed number of "
        "epochs."
    )
    dealt = (
        f"{count(folds['n'], 'fold')} over the development infants, each of them those of one site "
        "(leave one site out); neither infants nor reference clips of the site that was left out "
        "had a part in training."
        if folds["by"] == "site"
        else f"{count(folds['n'], 'fold')} over the development infants, stratified by class; no "
        "infant stood on both sides of a split."
    )
    flip = " Training instances were mirrored at random." if training["augment_flip"] else ""
    return (
        f"{models} with {dealt} "
        f"{kept}{flip} {threshold} Development "
        "infants were judged by the one fold model that had not seen them; all others by the "
        "mean of the fold models."
    )


def _bundle(about: Mapping[str, Any]) -> str:
    """Say that the models came from elsewhere, and whose training the next paragraph tells of."""
    return (
        f"{bundle_words(about)} The sections of the configuration that decide their input, their "
        "thresholds and their classes came with them. What follows on training is of where they "
        "were made: its development infants are not among those of this report."
    )


def _evaluation(study: Mapping[str, Any], cite: _Citations) -> str:
    judged = study["evaluation"]
    risk = [c["name"] for c in study["classes"] if c["at_risk"]]
    return (
        f"The infant was the unit of analysis; {' and '.join(risk)} counted as positive. "
        f"{100 * judged['confidence']:g} % intervals are Wilson's {cite('wilson')} for "
        f"proportions and bias-corrected accelerated bootstrap {cite('efron')} "
        f"({judged['bootstrap']} resamples of infants within their class) for the area under the "
        f"ROC curve and the Brier score; an area of 0 or 1 has Newcombe's score interval "
        f"{cite('newcombe')}. Figures were computed with scikit-learn {cite('sklearn')}. Infants "
        "without a result are counted and listed with the reason. The area under the ROC curve of "
        "the development infants pools scores of different fold models, which need not be on one "
        "scale; the mean of the fold models' own areas stands beside it. The mean speed, as a "
        "baseline, was judged on the infants of whom at least one model has a result, and so was "
        "calling every infant what most of its set are. "
        f"{_calibration(cite)} {_benefit(judged, cite)} {_frequency(study, cite)}"
        f"{_rule(study, cite)}"
    )


def _calibration(cite: _Citations) -> str:
    """Say how calibration is shown."""
    return (
        "Calibration is shown as observed against predicted shares in groups of about five "
        "infants or more, and as slope and intercept of a logistic regression of the outcome on "
        f"the logit of the probability {cite('cox')}, with Wald's intervals."
    )


def _benefit(judged: Mapping[str, Any], cite: _Citations) -> str:
    """Say what decision curves are of."""
    at = judged["prevalence"]
    share = "each set's own share of infants at risk" if at is None else f"a prevalence of {at:g}"
    return (
        f"Decision curves {cite('vickers')} give the net benefit of acting on a model's "
        f"probability, at {share}, beside acting on every infant and on none; their bands combine "
        f"Wilson's intervals of sensitivity and specificity by variance estimates recovery "
        f"{cite('zou')}."
    )


def _frequency(study: Mapping[str, Any], cite: _Citations) -> str:
    """Tell of the frequency of fidgety movements, where a model finds any."""
    if not any(model["kind"] in FIND_FIDGETY for model in study["models"].values()):
        return ""
    return (
        "The frequency of fidgety movements is the share of an infant's instances in which a "
        f"model finds them {cite('gao')}, given as the median and quartiles over infants with a "
        "bootstrap interval of the median."
    )


def _rule(study: Mapping[str, Any], cite: _Citations) -> str:
    if not any(m["kind"] in INSTANCE_KINDS for m in study["models"].values()):
        return ""
    return (
        f" For models of single snippets the infant rule of {cite('kaur')} is given too: not at "
        f"risk if more than {100 * KAUR_NORMAL_SHARE:.0f} % of the infant's snippets are classed "
        "as not at risk."
    )


def inclusion_sentence(config: Mapping[str, Any]) -> str:
    """Tell the criteria in force: the preset's, and those given beside it."""
    wanted = criteria(InclusionConfig.model_validate(config))
    parts = []
    if wanted.corrected_age_weeks is not None:
        low, high = wanted.corrected_age_weeks
        parts.append(f"corrected age {low:g} to {high:g} weeks")
    if wanted.min_duration_s:
        parts.append(f"at least {wanted.min_duration_s:g} s of recording")
    if wanted.require:
        known = ", ".join(_CHARACTERISTICS.get(c, c.replace("_", " ")) for c in wanted.require)
        parts.append(f"{known} known (not asked of reference clips)")
    if wanted.exclude_fm_types:
        parts.append(f"no {' or '.join(wanted.exclude_fm_types)} fidgety movements")
    if not parts:
        return "No inclusion criteria were set."
    preset = "" if wanted.preset == "none" else f" (preset {wanted.preset})"
    return (
        f"Inclusion criteria{preset}: {'; '.join(parts)}. A characteristic that was not known did "
        "not exclude a recording unless it was required."
    )


def methods(
    study: Mapping[str, Any],
    *,
    corrected: int = 0,
    imported: int = 0,
    estimated: int = 1,
    bundle: Mapping[str, Any] | None = None,
    people: str = "",
) -> Methods:
    """Write the methods.

    Parameters
    ----------
    study
        The whole configuration as plain values.
    corrected, imported, estimated
        Numbers of recordings: with keypoints placed by hand, with another program's tracks, and
        with an estimated pose.
    bundle
        What is to be said of the bundle that the models came in, if they did.
    people
        Whom the study is about, in sentences (:func:`fidgety.report.people.people`).
    """
    cite = _Citations()
    video = study["video"]
    pose = [_pose(study["pose"], cite)] if estimated or not imported else []
    pose += [_imported(imported, estimated)] if imported else []
    cleaning = _cleaning(study["cleaning"], cite) + _corrected(corrected)
    paragraphs = [
        ("Cohort", f"{people} {inclusion_sentence(study['inclusion'])}".strip()),
        (
            "Video",
            f"Videos were brought to a constant rate of at most {video['max_rate_hz']:g} frames a "
            f"second by their time stamps, upright, with a longest side of at most "
            f"{video['max_side_px']} pixels. Recordings shorter than {video['min_duration_s']:g} s "
            f"were not assessable. {_background(study['background'], cite)}",
        ),
        ("Pose", " ".join(pose)),
        ("Cleaning", cleaning + _lifting(study["lifting"], cite)),
        ("Quality", _quality(study["quality"])),
        ("Features", _features(study["features"])),
        *([("Pictures", pictures)] if (pictures := _pixels(study, cite)) else []),
        *([("Bundle", _bundle(bundle))] if bundle else []),
        ("Training", _training(study, cite)),
        ("Evaluation", _evaluation(study, cite)),
        (
            "Software",
            f"fidgety {__version__}, run with Snakemake {cite('snakemake')}; random numbers "
            f"derive from the seed {study['seed']}.",
        ),
    ]
    return Methods(tuple(paragraphs), tuple(REFERENCES[k] for k in cite.keys))
