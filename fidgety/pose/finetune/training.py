"""Fine-tuning a top-down 2D model of mmpose on labelled frames, and judging it.

The model is judged on infants it never learned from, through the very estimator that will use it
(:class:`fidgety.pose.mmpose.MMPose`): weights by the safe loader, crops about as of a video,
upright but for some degrees. The best epoch is chosen on the same infants, so figures are a
little too good; with many infants less so. Beside the model stands a guess that never looks, the
mean posture: infants on their backs are much alike, and a small error alone says little.
"""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import FidgetyError
from fidgety.files import job_seed
from fidgety.pose.crop import Crop
from fidgety.pose.finetune.dataset import (
    SEEN_SHARE,
    TRAINING_SHARE,
    Prepared,
    frame_crop,
    metainfo,
    prepare,
    read_picture,
    shake,
    split,
    usable,
)
from fidgety.pose.finetune.labels import LabelError, LabelledFrame, Labels
from fidgety.pose.finetune.network import (
    Start,
    adapt,
    export,
    input_size,
    make_start,
    read_network,
    schedule,
)
from fidgety.pose.finetune.runner import (
    BEST,
    STATE,
    Keeper,
    LabelError2D,
    on_device,
    seed_worker,
    trunks_by_annotation,
)
from fidgety.pose.finetune.scoring import Scores, compare, score, trunk_lengths
from fidgety.pose.mmpose import MMPose
from fidgety.pose.mmpose_options import MMPoseOptions
from fidgety.pose.mmpose_runtime import allowed_globals
from fidgety.pose.torch_device import pick_device
from fidgety.progress import track

START, CONFIG = "start.pth", "config.py"
#: Frames that are estimated at once.
BATCH = 16


@dataclass(frozen=True)
class Trained:
    """A fine-tuned model and how it was judged.

    Parameters
    ----------
    checkpoint, config
        Files in the work folder.
    history
        A row a validation.
    report
        Figures of start and result on the validation infants.
    """

    checkpoint: Path
    config: Path
    history: pd.DataFrame
    report: dict[str, Any]


def body_side_px(width: int) -> int:
    """Return the side of the body's box in crops, for an input of a width, as in the estimator."""
    return round(float(np.clip(round(width / SEEN_SHARE), 192, 768)) * SEEN_SHARE)


def train(
    labels: Labels,
    pictures: Mapping[str, Path],
    config: PoseTrainingConfig,
    work: Path,
    seed: int,
) -> Trained:
    """Fine-tune a model.

    Parameters
    ----------
    labels
        Labelled frames whose infants are known.
    pictures
        File of each frame, by its name.
    config
        The ``pose_training`` section.
    work
        Folder for everything on the way. A state of the same training in it is gone on from.
    seed
        Of the split, random weights, order and augmentation.

    Raises
    ------
    LabelError
        If there are too few frames or infants, or a picture is wrong.
    ConfigError
        If config or checkpoint are missing, wrong, or do not fit.
    """
    kept, left_out = usable(labels)
    if not len(kept):
        raise LabelError("no frame has at least four marked keypoints.")
    training, validation = split(kept, config.validation_share, job_seed(seed, "split"))
    settings = read_network(config)
    resolved = adapt(settings, metainfo(kept), config)
    start = make_start(resolved, config, settings, job_seed(seed, "weights"))
    work.mkdir(parents=True, exist_ok=True)
    resolved.dump(str(work / CONFIG))
    export(work / START, start.model.state_dict())
    body_px = body_side_px(input_size(settings)[0])
    shaken = job_seed(seed, "shake")
    seen = prepare(training, pictures, work, share=TRAINING_SHARE, body_px=body_px, name="training")
    judged = prepare(
        validation,
        pictures,
        work,
        share=SEEN_SHARE,
        body_px=body_px,
        name="validation",
        shaken=shaken,
    )
    history = _run(start, resolved, config, seen, judged, work, job_seed(seed, "training"))
    scores = [
        evaluate(work / CONFIG, work / file, validation, pictures, config, shaken)
        for file in (START, BEST)
    ]
    intervals = job_seed(seed, "intervals")
    report = {
        "training": _describe(training),
        "validation": _describe(validation),
        "left_out": list(left_out),
        "start_from": {"sha256": start.sha256, "random": list(start.random)},
        "epochs": int(history["epoch"].max()),
        "best_epoch": int(history["epoch"].to_numpy()[int(np.argmax(history["oks"]))]),
        **compare(scores[0], scores[1], intervals),
        "mean_posture": mean_posture(training, validation, shaken).summary(intervals),
    }
    return Trained(work / BEST, work / CONFIG, history, report)


def _describe(labels: Labels) -> dict[str, Any]:
    return {"infants": list(labels.groups), "n_frames": len(labels)}


def _run(
    start: Start,
    resolved: Any,
    config: PoseTrainingConfig,
    training: Prepared,
    validation: Prepared,
    work: Path,
    seed: int,
) -> pd.DataFrame:
    """Train; return the history."""
    from mmengine.runner import Runner

    device = pick_device(config.device, "pose_training.device")
    n = len(training.labels)
    batch = min(config.batch_size, n)
    loader = {
        **resolved.train_dataloader.to_dict(),
        "batch_size": batch,
        # A last batch of one frame has no variance to normalise by.
        "drop_last": n >= config.batch_size,
        "worker_init_fn": {"type": seed_worker},
    }
    seeing = resolved.val_dataloader.to_dict()
    for part, prepared in ((loader, training), (seeing, validation)):
        part["dataset"]["ann_file"] = str(prepared.annotations)
        part["dataset"]["data_prefix"] = {"img": f"{prepared.folder}/"}
    scale = np.array([crop.scale for crop in validation.crops])
    trunk_px = trunk_lengths(validation.labels) * scale
    keeper = Keeper(work, seed, config.epochs, config.patience)
    resume = (work / STATE).is_file()
    n_steps = n // batch if n >= config.batch_size else 1
    with on_device(device), torch.serialization.safe_globals(allowed_globals()):
        runner = Runner(
            model=start.model.train(),
            work_dir=str(work / "runner"),
            train_dataloader=loader,
            val_dataloader=seeing,
            train_cfg=_epochs(config),
            val_cfg={},
            val_evaluator=[LabelError2D(trunks_by_annotation(trunk_px), training.labels.keypoints)],
            optim_wrapper=resolved.optim_wrapper.to_dict(),
            param_scheduler=schedule(n_steps, config.epochs),
            default_hooks={"logger": None, "checkpoint": None},
            custom_hooks=[keeper],
            load_from=str(work / (STATE if resume else START)),
            resume=resume,
            visualizer={"type": "Visualizer", "vis_backends": []},
            default_scope="mmpose",
            log_level="WARNING",
            randomness={"seed": seed},
            experiment_name=f"pose-training-{work.name}-{random.getrandbits(64):x}",
        )
        if resume:
            print(f"going on from {work / STATE}", flush=True)
        runner.train()
    if not keeper.history:
        raise FidgetyError("the training ended without a validation: set fewer validate_every.")
    shutil.rmtree(work / "runner", ignore_errors=True)
    return pd.DataFrame(keeper.history).astype({"epoch": int})


def _epochs(config: PoseTrainingConfig) -> dict[str, Any]:
    return {
        "by_epoch": True,
        "max_epochs": config.epochs,
        "val_interval": min(config.validate_every, config.epochs),
    }


def _judged_crop(frame: LabelledFrame, keypoints: tuple[str, ...], shaken: int) -> Crop:
    """Return the crop that models are judged on, of any size in its own pixels."""
    return shake(frame_crop(frame, keypoints, SEEN_SHARE, 100), frame.file, shaken)


def mean_posture(training: Labels, validation: Labels, shaken: int) -> Scores:
    """Judge a guess that never looks: the training frames' mean posture, put into each crop.

    A model that is no better has learned how infants lie, not where this one's limbs are.
    """
    postures = np.stack(
        [
            frame_crop(f, training.keypoints, SEEN_SHARE, 100).to_crop(f.position.T[None])[0].T
            for f in training.frames
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a keypoint that nobody marked
        middle = np.nanmean(postures, axis=0)
    crops = [_judged_crop(f, validation.keypoints, shaken) for f in validation.frames]
    guess = np.stack([crop.to_video(middle.T[None])[0].T for crop in crops])
    return score(validation, guess, np.ones(guess.shape[:2]))


def estimate_frames(
    estimator: MMPose, labels: Labels, pictures: Mapping[str, Path], shaken: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimate labelled frames as a video's: about upright, cut around the body.

    Parameters
    ----------
    estimator
        Open.
    labels
        Frames: their marks place the crops, which are then shaken.
    pictures
        File of each frame, by its name.
    shaken
        Seed of :func:`fidgety.pose.finetune.dataset.shake`.

    Returns
    -------
    position : ndarray of shape (frame, keypoint, 2)
        Pixels of the pictures, in the order of the labels' keypoints; NaN without a body.
    confidence : ndarray of shape (frame, keypoint)
    """
    order = [estimator.skeleton.keypoints.index(k) for k in labels.keypoints]
    positions, confidences = [], []
    for begin in track(range(0, len(labels), BATCH), "estimate", -(-len(labels) // BATCH)):
        frames = labels.frames[begin : begin + BATCH]
        crops = [
            replace(_judged_crop(f, labels.keypoints, shaken), size_px=estimator.crop_px)
            for f in frames
        ]
        cut = [c.cut(read_picture(pictures[f.file], f)) for c, f in zip(crops, frames, strict=True)]
        found = estimator.estimate(np.stack(cut), consecutive=False)
        for k, crop in enumerate(crops):
            positions.append(crop.to_video(found.position[k : k + 1])[0].T[order])
            confidences.append(found.confidence[k, order])
    return np.stack(positions), np.stack(confidences)


def evaluate(
    config_file: Path,
    checkpoint: Path,
    labels: Labels,
    pictures: Mapping[str, Path],
    config: PoseTrainingConfig,
    shaken: int,
) -> Scores:
    """Judge a model on labelled frames, through the ``mmpose`` estimator."""
    options = MMPoseOptions(
        config=str(config_file),
        checkpoint=str(checkpoint),
        box_share=SEEN_SHARE,
        device=config.device,
        batch_size=BATCH,
        # Every frame shows an infant: a model that doubts it is judged by where it guesses.
        min_score=0.0,
    )
    with MMPose(options) as estimator:
        position, confidence = estimate_frames(estimator, labels, pictures, shaken)
    return score(labels, position, confidence)
