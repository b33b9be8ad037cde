"""The page of one infant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fidgety.config.report import ReportConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.evaluation.fm_types import called_type
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import LABEL_COLUMNS, Infant, assess
from fidgety.files import write_text
from fidgety.phantom.names import is_phantom
from fidgety.pose.quality_record import read_quality_record
from fidgety.pose.tracks import Pose, read_pose
from fidgety.report import cautions, lanes, plots, timeline
from fidgety.report.clips import FOUND_ABOVE, read_clips
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.infant_files import FILES, read_clean, recording_files
from fidgety.report.pages import RecordingView, relative, render
from fidgety.report.picture_list import PANELS, read_pictures
from fidgety.report.posters import clearest_frame, poster
from fidgety.report.wording import (
    FACES_HIDDEN,
    LOOKED,
    NO_PICTURE,
    count,
    fms_words,
    number,
    percent,
    rule_words,
    verdict,
)
from fidgety.training.risk import risk_probability

#: All that is told of an infant on a page that is for sharing, the skeleton alone.
SHARED = ("infant", "recording", "cohort", "corrected_age_weeks")
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
        rows[ORIGINS.get(name, name)] = percent(
            float(np.average(share, weights=weights)) if share.size else None
        )
    rows["tracks"] = f"{pose.source_software or 'unknown'} ({pose.skeleton or 'own skeleton'})"
    return rows


#: Origins whose names need words.
ORIGINS = {"corrected": "measured, sides put right", "manual": "placed by hand"}
#: Measure of the record of quality, what it is called, and its unit; shares have none.
FITNESS = (
    ("longest_gap_s", "longest gap", " s"),
    ("supine", "seen from the front (lying on the back)", None),
    ("face_seen", "nose measured", None),
    ("confidence", "median confidence of trunk, head and limbs", ""),
    ("persons", "most persons in view", ""),
    ("other_person", "somebody else in view", None),
    ("camera_moving", "camera moves", None),
    ("movement", "median speed of hands and feet", " trunk lengths a second"),
    ("still", "still (asleep, as a suspicion)", None),
    ("fussing", "fussing or crying suspected, by movement alone", None),
    ("assessable_s", "fit to be assessed", " s"),
)
#: Decimals of a measure, where one is not right.
DIGITS = {"persons": 0, "confidence": 2}


def fitness(record: Mapping[str, Any]) -> dict[str, str]:
    """Put the measures of a record of quality into words; what is not known is said to be so."""
    measures = record.get("measures", {})
    out = {}
    for name, text, unit in FITNESS:
        value = measures.get(name)
        if value is None:
            out[text] = "not known"
        elif unit is None:
            out[text] = f"{percent(value)} of the time"
        else:
            out[text] = number(value, DIGITS.get(name, 1)) + unit
    return out


def _quality_rows(pose: Pose | None, record: Mapping[str, Any] | None) -> dict[str, str]:
    if pose is None:
        return {}
    return quality(pose) | (fitness(record) if record is not None else {})


def characteristics(row: Mapping[str, Any], *, shared: bool = False) -> dict[str, str]:
    """Take what is shown out of a row of the sheet, the user's own columns last.

    A new infant's label is not: nothing here has looked at it.

    Parameters
    ----------
    row
        Of the sheet.
    shared
        Whether the page is for sharing: free text may tell who an infant is.
    """
    if shared:
        row = {key: row[key] for key in SHARED if key in row}
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
    record: Mapping[str, Any] | None = None,
    figures: str | os.PathLike[str] | None = None,
    *,
    shared: bool = False,
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
    record
        Its record of quality, where there is one.
    figures
        Folder of figures and data to save, if there is one.
    shared
        Whether the page is for sharing.
    """
    recording = str(row["recording"])
    outcome = Outcome()
    pose = None
    try:
        pose = read_pose(clean)
    except NotAssessable as error:
        outcome = Outcome.of(error)
    if outcome.ok and record is not None:
        outcome = Outcome.recorded(record)
    strips = timeline.strips(predictions.models, recording, at_risk)
    annotated = timeline.marks(intervals, recording)
    has_video = Path(media).exists() and Path(media).stat().st_size > 0
    return RecordingView(
        recording=recording,
        outcome=outcome,
        characteristics=characteristics(row, shared=shared),
        video=relative(media, page) if has_video else "",
        poster=poster(media, clearest_frame(pose) if pose else None) if has_video else "",
        duration_s=max(timeline.duration_s(strips, annotated), pose.duration_s if pose else 0.0),
        strips=strips,
        annotated=annotated,
        alone=alone(predictions, recording, at_risk),
        quality=_quality_rows(pose, record),
        lanes=lanes.groups(recording, pose, record) if pose is not None else (),
        files=[
            (relative(path, page), path.name, what)
            for end, what in FILES.items()
            if figures is not None and (path := Path(figures) / f"{recording}-{end}").exists()
        ],
    )


def write_figures(
    folder: Path,
    predictions: InfantPredictions,
    recordings: Sequence[str],
    clean: Sequence[str | os.PathLike[str]],
    records: Sequence[str | os.PathLike[str]],
    intervals: Sequence[Mapping[str, Any]],
    at_risk: Sequence[bool],
) -> None:
    """Write the figures of all recordings and their data into a folder.

    Parameters
    ----------
    folder
        Exists.
    predictions, intervals
        Of the whole infant.
    recordings, clean, records
        Ids, pose files and records of quality, in the same order.
    at_risk
        For each class whether it is at risk.
    """
    for recording, path, record in zip(recordings, clean, records, strict=True):
        found = recording_files(
            timeline.strips(predictions.models, recording, at_risk),
            timeline.marks(intervals, recording),
            read_clean(path),
            read_quality_record(record),
        )
        for end, text in found.items():
            write_text(folder / f"{recording}-{end}", text)


def picture_note(config: ReportConfig) -> str:
    """Say what of the picture is hidden in overlay videos."""
    if config.overlay == "skeleton":
        return NO_PICTURE
    return FACES_HIDDEN if config.faces == "hidden" else ""


def _strips(
    folder: str | os.PathLike[str] | None, page: str | os.PathLike[str]
) -> list[dict[str, Any]]:
    """Return the strips of what models of pictures look at, with their place and their panels."""
    if folder is None:
        return []
    return [
        {
            **row,
            "source": relative(Path(folder) / str(row["file"]), page),
            "panels": [PANELS[str(name)] for name in row["panels"]],
        }
        for row in read_pictures(Path(folder))
    ]


def infant_clips(
    folder: str | os.PathLike[str] | None, page: str | os.PathLike[str]
) -> list[dict[str, Any]]:
    """Return the clips by kind, the likeliest first: heading, order, every clip with its video."""
    found = read_clips(folder) if folder is not None else []
    most = "Most like fidgety movements"
    if all(clip.probability <= FOUND_ABOVE for clip in found):
        most = "The model found none; these are the highest of all"
    kinds = (
        (False, most, "highest probability of fidgety movements"),
        (True, "Least like fidgety movements", "lowest probability of fidgety movements"),
    )
    return [
        {
            "heading": heading,
            "order": order,
            "model": own[0][0].model,
            "videos": [(clip, relative(file, page), poster(file)) for clip, file in own],
        }
        for least, heading, order in kinds
        if (own := [(clip, Path(str(folder)) / clip.file) for clip in found if clip.least == least])
    ]


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
    records: Sequence[str | os.PathLike[str]] = (),
    clips: str | os.PathLike[str] | None = None,
    pictures: str | os.PathLike[str] | None = None,
    continuous_from: str | float = "",
    figures: str | os.PathLike[str] | None = None,
    bundle: Mapping[str, Any] | None = None,
    learned: Mapping[str, Any] | None = None,
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
    records
        Record of quality of every recording, in the same order; may be left out.
    clips
        Folder of the clips to look at first, if any were cut.
    pictures
        Folder of the strips of what models of pictures look at, if there are any.
    continuous_from
        ``evaluation.continuous_from``.
    figures
        Folder of figures and data to save (:func:`write_figures`), if there is one.
    bundle
        What is to be said of the bundle that the models came in, if they did.
    learned
        Number of ``infants`` that the models learned from, and of ``phantoms`` among them.
    """
    read: list[dict[str, Any] | None] = [read_quality_record(path) for path in records]
    read = read or [None] * len(rows)
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
    alone_shown = config.overlay == "skeleton"
    views = [
        recording_view(
            row,
            pose,
            video,
            page,
            predictions,
            intervals,
            at_risk,
            record,
            figures,
            shared=alone_shown,
        )
        for row, pose, video, record in zip(rows, clean, media, read, strict=True)
    ]
    verdicts = [
        (name, verdict(assess(known, name, model, at_risk), risk, threshold))
        for name, model in predictions.models.items()
    ]
    found = [
        cautions.learned_from_phantoms(learned or {}, known.phantom),
        None if known.phantom else cautions.age(rows, [str(c["name"]) for c in classes]),
        cautions.contradiction(one for _, one in verdicts),
    ]
    boxes = [one for one in found if one is not None] if predictions.outcome.ok else []
    # Of a result that means nothing, no rule says anything either.
    void = any(one.void for one in boxes)
    return render(
        "infant.html",
        title=config.title,
        infant=infant,
        role_text=ROLE_TEXTS.get(predictions.role, predictions.role),
        phantoms=known.phantom,
        outcome=predictions.outcome,
        verdicts=cautions.voided(verdicts, boxes),
        cautions=boxes,
        age=cautions.age_text(rows),
        fms={
            name: fms_words(
                model.fms_frequency,
                called_type(model.fms_frequency, model.positive, continuous_from),
                continuous_from,
            )
            for name, model in predictions.models.items()
            if model.outcome.ok and np.isfinite(model.fms_frequency) and not void
        },
        clips=infant_clips(clips, page),
        pictures=_strips(pictures, page),
        rules={
            name: rule_words(float((model.instance_risk <= 0.5).mean()), model.kaur_positive, risk)
            for name, model in predictions.models.items()
            if assess(known, name, model, at_risk).kaur_positive is not None and not void
        },
        risk_group=" or ".join(risk),
        recordings=views,
        origins=lanes.ORIGINS,
        picture_note=picture_note(config),
        skeleton_alone=alone_shown,
        looked=LOOKED,
        bundle=bundle,
    )
