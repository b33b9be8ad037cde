"""A small study as the stages before the report write it, and pages made from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fidgety.config.quality import QualityConfig
from fidgety.config.root import Config
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.pose.quality_record import write_quality
from fidgety.pose.tracks import POSE_SCHEMA, Origin, Pose, write_pose
from fidgety.pose.verdict import quality_record
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import Provenance, write_not_assessable
from fidgety.video.write import VideoWriter
from tests.evaluation.synthetic import (
    EVALUATION_FILES,
    Bag,
    cohort_row,
    model_group,
    not_assessable,
    snakemake,
    write_cohort,
    write_infant,
)
from workflow_scripts import draw_overlay, evaluate, write_infant_page, write_report
from workflow_scripts.stage import Job

ATTACK = "<img src=x onerror=alert(1)>"
#: What the sheet says of a new infant, and where its files are: neither is for the report.
SECRET_LABEL = "label-of-a-new-infant"
SECRET_PATH = "mueller-anna"
SIDE = 160
TRUNK = 40.0
CLASSES = [{"name": "normal", "at_risk": False}, {"name": "risk", "at_risk": True}]
MODELS = ("cnn1d", "mam_clip")
SHORT = NotAssessable(Reason.VIDEO_TOO_SHORT, f"2.0 s {ATTACK}")
#: Three seconds are no recording otherwise.
ANYTHING_IS_FIT = QualityConfig(min_measured=0, min_assessable_s=0, max_fussing=1, max_still=1)
NO_WINDOW = NotAssessable(Reason.NO_COMPLETE_WINDOW, "longest run 3.0 s")

_BODY = {
    "nose": (0, -1.35),
    "left_eye": (0.12, -1.45),
    "right_eye": (-0.12, -1.45),
    "left_ear": (0.28, -1.4),
    "right_ear": (-0.28, -1.4),
    "mouth_left": (0.08, -1.25),
    "mouth_right": (-0.08, -1.25),
    "left_shoulder": (0.35, -1.0),
    "right_shoulder": (-0.35, -1.0),
    "left_elbow": (0.7, -0.7),
    "right_elbow": (-0.7, -0.7),
    "left_wrist": (0.9, -1.1),
    "right_wrist": (-0.9, -1.1),
    "left_hip": (0.25, 0.0),
    "right_hip": (-0.25, 0.0),
    "left_knee": (0.5, 0.4),
    "right_knee": (-0.5, 0.4),
    "left_ankle": (0.3, 0.8),
    "right_ankle": (-0.3, 0.8),
}


def body_pose(seconds: float = 6.0, fps: float = 25.0) -> Pose:
    """An infant on a 160-pixel picture whose limbs circle; some values are missing."""
    n = round(seconds * fps)
    time_s = np.arange(n) / fps
    position = np.zeros((n, 2, len(BLAZEPOSE_33.keypoints)))
    for k, name in enumerate(BLAZEPOSE_33.keypoints):
        nearest = name if name in _BODY else None
        if nearest is None:
            side = "left_" if "left" in name else "right_"
            part = {"eye": "eye", "pinky": "wrist", "index": "wrist", "thumb": "wrist"}
            part = part | {"heel": "ankle", "foot": "ankle"}
            key = "foot" if "foot" in name else name.split("_")[1]
            nearest = side + part[key]
        x, y = _BODY[nearest]
        swing = 0.12 if any(j in nearest for j in ("wrist", "elbow", "ankle", "knee")) else 0.0
        position[:, 0, k] = SIDE / 2 + TRUNK * (x + swing * np.cos(2 * np.pi * time_s + k))
        position[:, 1, k] = SIDE * 0.6 + TRUNK * (y + swing * np.sin(2 * np.pi * time_s + k))
    origin = np.full((n, position.shape[2]), Origin.MEASURED, dtype=np.uint8)
    wrist = BLAZEPOSE_33.index("left_wrist")
    origin[20:30, wrist] = Origin.IMPUTED
    position[60:90, :, wrist] = np.nan
    origin[60:90, wrist] = Origin.MISSING
    return Pose(
        position,
        np.ones(origin.shape),
        time_s,
        BLAZEPOSE_33.keypoints,
        fps,
        origin=origin,
        skeleton="blazepose33",
        source_software="test",
    )


def write_video(path: Path, n: int, fps: float = 25.0) -> None:
    """A video that is white all over: whatever is hidden shows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps, SIDE, SIDE) as writer:
        for _ in range(n):
            writer.write(np.full((SIDE, SIDE, 3), 255, dtype=np.uint8))


@dataclass
class Site:
    """A report and what it was made from."""

    folder: Path
    index: Path
    pages: dict[str, Path]

    def text(self, infant: str | None = None) -> str:
        """HTML of the index or of an infant's page."""
        return (self.pages[infant] if infant else self.index).read_text(encoding="utf-8")


def job(**parts: Any) -> Job:
    """A job as the script sees it."""
    made = snakemake(**parts)
    return Job(made.input, made.output, made.params, Bag())


def build_site(
    folder: Path,
    *,
    cohort_name: str = "phantom-small",
    external: bool = True,
    only: str = "",
    learned: dict[str, int] | None = None,
) -> Site:
    """Run all report scripts on a made-up study."""
    study = Config(seed=1).model_dump(mode="json")
    study["models"]["cnn1d"]["options"]["note"] = ATTACK
    study["sheet"] = f"clinic/{SECRET_PATH}.csv"
    report = {"title": f"Study {ATTACK}", "overlay_max_side_px": 128}
    people: list[tuple[str, str, str, float]] = [
        ("d1", "development", "normal", 0.2),
        ("d2", "development", "risk", 0.8),
        ("d3", "development", "normal", 0.6),
        ("d4", "development", "risk", 0.7),
        ("n1", "new", SECRET_LABEL, 0.55),
    ]
    if external:
        people += [("e1", "external", "normal", 0.3), ("e2", "external", "risk", 0.9)]
    rows, predictions = [], {}
    for k, (infant, role, label, risk) in enumerate(people):
        row = cohort_row(f"{infant}-r", infant, role, label, cohort=cohort_name, notes=ATTACK)
        row["video"] = f"clinic/{SECRET_PATH}.mp4"
        row["findings"] = f"intervals behind its end {ATTACK}" if infant == "d2" else ""
        rows.append(row)
        folds = [k % 5 + 1] if role == "development" else [1, 2, 3]
        spread = [0.0] if len(folds) == 1 else [-0.1, 0.0, 0.1]
        groups = {}
        for shift, (model, fidgety) in enumerate(zip(MODELS, (False, True), strict=True)):
            values = [[1 - (v := min(max(risk + d - 0.02 * shift, 0), 1)), v] for d in spread]
            groups[model] = model_group(
                values,
                folds=folds,
                recordings=[f"{infant}-r"],
                n_instances=8,
                kind=model,
                detects_fidgety=fidgety,
            )
        predictions[infant] = write_infant(folder / "predictions", infant, role, groups)
    bad = cohort_row("d5-r", "d5", "development", "risk", cohort=cohort_name, notes="")
    rows.append(bad | not_assessable(SHORT.reason, SHORT.detail))
    predictions["d5"] = write_infant(
        folder / "predictions", "d5", "development", error=SHORT, names=MODELS
    )
    part = cohort_row("d6-r", "d6", "development", "normal", cohort=cohort_name, notes="")
    rows.append(part)
    gap = model_group([], error=NO_WINDOW)
    fine = model_group([[0.7, 0.3]], folds=[2], recordings=["d6-r"])
    predictions["d6"] = write_infant(
        folder / "predictions", "d6", "development", {"cnn1d": fine, "mam_clip": gap}
    )
    left_out = cohort_row("d7-r", "d7", "development", "normal", cohort=cohort_name, notes="")
    rows.append(left_out | not_assessable(Reason.EXCLUDED, "corrected age 31 weeks, at most 20"))
    cohort = write_cohort(folder / "cohort", rows)

    evaluation = folder / "evaluation"
    files = {name: evaluation / file for name, file in EVALUATION_FILES.items()}
    evaluate.main(
        job(
            input={"predictions": list(predictions.values()), "cohort": cohort},
            output=files,
            params={"config": {"bootstrap": 100}, "classes": CLASSES, "models": MODELS},
        )
    )

    pose = body_pose(3.0)
    index = folder / "report" / "index.html"
    pages = {}
    for infant in [only] if only else predictions:
        recording = f"{infant}-r"
        clean = folder / "clean" / f"{recording}.h5"
        media = folder / "report" / "media" / f"{recording}.mp4"
        quality = folder / "quality" / f"{recording}.json"
        if infant == "d5":
            write_not_assessable(clean, SHORT, schema=POSE_SCHEMA, provenance=Provenance())
            write_quality(quality, Outcome.of(SHORT), {}, Provenance())
        else:
            write_pose(clean, pose, Provenance())
            write_quality(quality, *quality_record(pose, ANYTHING_IS_FIT), Provenance())
        video: dict[str, Any] = {}
        if infant in ("d1", "e1"):
            video = {"video": folder / "video" / f"{recording}.mp4"}
            write_video(video["video"], pose.n_frames)
        draw_overlay.main(
            job(input={"clean": clean, **video}, output={"video": media}, params={"config": report})
        )
        pages[infant] = folder / "report" / "infants" / f"{infant}.html"
        row = next(r for r in rows if r["infant"] == infant)
        clips = folder / "report" / "clips" / infant
        write_infant_page.main(
            job(
                input={
                    "predictions": predictions[infant],
                    "clean": [clean],
                    "quality": [quality],
                    "media": [media],
                },
                output={
                    "page": pages[infant],
                    "clips": clips,
                    "figures": folder / "report" / "figures" / infant,
                },
                params={
                    "infant": infant,
                    "rows": [row],
                    "intervals": [
                        {
                            "recording": recording,
                            "start_s": 3.0,
                            "end_s": 14.0,
                            "movement": f"fidgety {ATTACK}",
                            "rater": "consensus",
                        }
                    ],
                    "classes": CLASSES,
                    "config": {**report, "best_clips": 2},
                    "continuous_from": 0.603,
                    "learned": learned,
                },
            )
        )
    write_report.main(
        job(
            input={**files, "cohort": cohort, "pages": list(pages.values())},
            output={"index": index},
            params={
                "config": report,
                "study": study,
                "imported": 2,
                "estimated": 5,
                "versions": {"note": ATTACK},
                "learned": learned,
            },
        )
    )
    return Site(folder, index, pages)


def index_of(site: Site, infants: pd.DataFrame, folder: Path) -> Path:
    """Write the index of a site anew with another table of infants."""
    evaluation = site.folder / "evaluation"
    files = {name: evaluation / file for name, file in EVALUATION_FILES.items()}
    files["infants"] = folder / "infants.tsv"
    infants.to_csv(files["infants"], sep="\t", index=False)
    index = folder / "index.html"
    write_report.main(
        job(
            input={**files, "cohort": sorted((site.folder / "cohort").glob("*.tsv")), "pages": []},
            output={"index": index},
            params={
                "config": {},
                "study": Config(seed=1).model_dump(mode="json"),
                "imported": 0,
                "estimated": 5,
            },
        )
    )
    return index


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A report on phantoms, development and external."""
    return build_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def plain_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A report on a hospital's infants, without any external ones."""
    return build_site(
        tmp_path_factory.mktemp("plain"), cohort_name="hospital", external=False, only="d1"
    )
