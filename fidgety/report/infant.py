"""The page of one infant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fidgety.config.report import ReportConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.evaluation.metrics import risk_probability
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import LABEL_COLUMNS, Infant, assess, is_phantom
from fidgety.pose.tracks import Pose, read_pose
from fidgety.report import plots, timeline
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.pages import RecordingView, relative, render
from fidgety.report.wording import (
    FACES_HIDDEN,
    NO_PICTURE,
    count,
    percent,
    rule_words,
    verdict,
)

#: Columns of the sheet that are not shown: ids shown elsewhere, and the user's own paths.
HIDDEN = frozenset({"recording", "infant", "video", "pose", "own"})


def quality(pose: Pose) -> dict[str, str]:
    """Describe a recording's tracks."""
    _, shares = plots.origin_shares(pose)
    frames = np.bincount(np.floor(pose.time_s - pose.time_s[0]).astype(int)) if pose.n_frames else 0
    weights = frames[frames > 0] if isinstance(frames, np.ndarray) else np.empty(0)
    rows = {
        "duration": f"{pose.duration_s:.1f} s, {count(pose.n_frames, 'frame')} at {pose.fps:g} Hz"
    }
    for name, share in shares.items():
        rows[name] = percent(float(np.average(share, weights=weights)) if share.size else None)
    rows["tracks"] = f"{pose.source_software or 'unknown'} ({pose.skeleton or 'own skeleton'})"
    return rows


def characteristics(row: Mapping[str, Any]) -> dict[str, str]:
    """Take what is shown out of a row of the sheet, the user's own columns last.

    A new infant's label is not: nothing here has looked at it.
    """
    own = row.get("own") or {}
    hidden = HIDDEN.union(LABEL_COLUMNS if row.get("role") == "new" else ())
    plain = {k: v for k, v in row.items() if k not in hidden}
    return {str(k): str(v) for k, v in {**plain, **own}.items() if v not in (None, "")}


def alone(
    predictions: InfantPredictions, recording: str, at_risk: Sequence[bool]
) -> dict[str, float]:
    """Return what each model says of one recording where the infant has several."""
    return {
        name: float(
            risk_probability(
                model.recording_probability[:, model.sources.index(recording)], at_risk
            ).mean()
        )
        for name, model in predictions.models.items()
        if recording in model.sources and len(model.sources) > 1
    }


def recording_view(
    row: Mapping[str, Any],
    clean: str | os.PathLike[str],
    media: str | os.PathLike[str],
    page: str | os.PathLike[str],
    predictions: InfantPredictions,
    intervals: Sequence[Mapping[str, Any]],
    at_risk: Sequence[bool],
    number: int,
) -> RecordingView:
    """Gather what is shown of one recording.

    Parameters
    ----------
    row
        Its row of the sheet.
    clean, media, page
        Pose file, overlay video, and the page that links to it.
    predictions, intervals
        Of the whole infant.
    at_risk
        For each class whether it is at risk.
    number
        Of the recording on the page: for ids of figures.
    """
    recording = str(row["recording"])
    outcome = Outcome()
    pose = None
    try:
        pose = read_pose(clean)
    except NotAssessable as error:
        outcome = Outcome.of(error)
    strips = timeline.strips(predictions.models, recording, at_risk)
    annotated = timeline.marks(intervals, recording)
    quality_figure = trajectory_figure = ""
    if pose is not None and pose.n_frames:
        quality_figure = plots.inline(
            plots.draw_quality(pose), f"q{number}", f"Origin of the values of {recording} over time"
        )
        drawn = plots.draw_trajectories(pose)
        if drawn:
            trajectory_figure = plots.inline(
                drawn, f"t{number}", f"Limb tracks of {recording} over time"
            )
    has_video = Path(media).exists() and Path(media).stat().st_size > 0
    return RecordingView(
        recording=recording,
        outcome=outcome,
        characteristics=characteristics(row),
        video=relative(media, page) if has_video else "",
        duration_s=max(timeline.duration_s(strips, annotated), pose.duration_s if pose else 0.0),
        strips=strips,
        annotated=annotated,
        alone=alone(predictions, recording, at_risk),
        quality=quality(pose) if pose is not None else {},
        quality_figure=quality_figure,
        trajectory_figure=trajectory_figure,
    )


def picture_note(config: ReportConfig) -> str:
    """Say what of the picture is hidden in overlay videos."""
    if config.overlay == "skeleton":
        return NO_PICTURE
    return FACES_HIDDEN if config.faces == "hidden" else ""


def infant_page(
    infant: str,
    predictions: InfantPredictions,
    rows: Sequence[Mapping[str, Any]],
    clean: Sequence[str | os.PathLike[str]],
    media: Sequence[str | os.PathLike[str]],
    page: str | os.PathLike[str],
    intervals: Sequence[Mapping[str, Any]],
    classes: Sequence[Mapping[str, Any]],
    config: ReportConfig,
    threshold: str | float | None = None,
) -> str:
    """Write the page of an infant as HTML.

    Parameters
    ----------
    infant
        Id.
    predictions
        What the models say.
    rows, clean, media
        Sheet row, pose file and overlay video of every recording, in the same order.
    page
        Where the page will be.
    intervals
        Annotated intervals: recording, start_s, end_s, movement, rater.
    classes
        name and at_risk, in the order of the models' outputs.
    config
        Title and what is shown.
    threshold
        ``evaluation.threshold``: how thresholds were set; None where it is not known.
    """
    at_risk = [bool(c["at_risk"]) for c in classes]
    risk = [str(c["name"]) for c in classes if c["at_risk"]]
    known = Infant(
        infant,
        predictions.role,
        "",
        tuple(str(r["recording"]) for r in rows),
        any(is_phantom(str(r.get("cohort", ""))) for r in rows),
        predictions.outcome,
    )
    views = [
        recording_view(row, pose, video, page, predictions, intervals, at_risk, k)
        for k, (row, pose, video) in enumerate(zip(rows, clean, media, strict=True), 1)
    ]
    return render(
        "infant.html",
        title=config.title,
        infant=infant,
        role_text=ROLE_TEXTS.get(predictions.role, predictions.role),
        phantoms=known.phantom,
        outcome=predictions.outcome,
        verdicts=[
            (name, verdict(assess(known, name, model, at_risk), risk, threshold))
            for name, model in predictions.models.items()
        ],
        fms={
            name: model.fms_frequency
            for name, model in predictions.models.items()
            if model.outcome.ok and np.isfinite(model.fms_frequency)
        },
        rules={
            name: rule_words(float((model.instance_risk <= 0.5).mean()), model.kaur_positive, risk)
            for name, model in predictions.models.items()
            if assess(known, name, model, at_risk).kaur_positive is not None
        },
        risk_classes=risk,
        recordings=views,
        picture_note=picture_note(config),
    )
