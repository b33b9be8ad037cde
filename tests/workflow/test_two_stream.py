"""Models of pictures on the real Snakefile: from videos to the strips on the infants' pages.

One phantom is rendered, brighter or darker for every infant, with its true tracks beside it: what
the network learns does not matter here, that every stage hands on what the next one needs does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fidgety.evaluation.predictions import read_infant
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import record_video
from fidgety.pixels.store import Pixels
from fidgety.skeletons import COCO_17
from fidgety.storage import Provenance
from fidgety.training.description import read_description
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from tests.pose.foreign import write_dlc_csv
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import own_rows
from tests.workflow.test_tracks import truth_as

pytestmark = pytest.mark.long

CLASSES = ("WMs", "FMs", "PR")
MODEL = {
    "kind": "two_stream",
    "options": {
        "backbone": "resnet18",
        "step_s": 1.0,
        "predict_step_s": 2.0,
        "batch_size": 8,
        "blind_epochs": 2,
        "colour_jitter": 0.2,
        "place_jitter": 0.1,
        "stream_weight": 1,
    },
}


def write_videos(own: Path) -> list[dict[str, str]]:
    """Write a video and tracks for two infants a class, and tracks alone for one more."""
    spec = PhantomSpec("p", "p", "c", "new", "normal", "continuous", duration_s=6, size=(320, 240))
    record_video(spec, own / "truth.mp4", own / "truth.h5", Provenance())
    frames = list(iter_frames(own / "truth.mp4"))
    info = video_info(own / "truth.mp4")
    coco = truth_as(own / "truth.h5", COCO_17.keypoints, spec.fps)
    rng = np.random.default_rng(0)
    rows = []
    for k in range(2 * len(CLASSES) + 1):
        name = f"baby{k}"
        moved = coco.position + rng.normal(0, 0.05, coco.position.shape)
        write_dlc_csv(replace(coco, position=moved), own).rename(own / f"{name}.csv")
        row = {
            "recording": name,
            "infant": name,
            "cohort": "ward",
            "label": CLASSES[k % len(CLASSES)],
            "pose": f"own/{name}.csv",
            "fps": f"{spec.fps:g}",
        }
        if k < 2 * len(CLASSES):
            with VideoWriter(own / f"{name}.mp4", info.rate, 320, 240, crf=20) as writer:
                for frame in frames:
                    writer.write((frame * (0.6 + 0.06 * k)).astype(np.uint8))
            row |= {"video": f"own/{name}.mp4", "fps": ""}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = copy_project(tmp_path_factory.mktemp("pictures") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    own_rows(workflow, write_videos(own))
    configure(workflow)
    workflow.run("--cores", "2")
    return workflow


def configure(workflow: Workflow, size_px: int = 64) -> None:
    workflow.configure(
        phantom={"preset": "none"},
        sheet="recordings.tsv",
        cohorts={"ward": "development"},
        classes=[{"name": name, "at_risk": name == "PR"} for name in CLASSES],
        models={"pictures": MODEL},
        pixels={"size_px": size_px},
        background={"method": "median"},
        report={"pictures": 2},
    )


def test_every_infant_with_a_video_is_judged_by_the_fold_that_never_saw_it(
    studied: Workflow,
) -> None:
    results = studied.folder / "results"
    for k in range(6):
        said = read_infant(results / f"predictions/baby{k}.h5").models["pictures"]
        assert said.outcome.ok
        assert said.classes == CLASSES
        # 6 s, six fields a second, clips of 1 s every 2 s.
        assert said.start_s.tolist() == [0.0, 2.0, 4.0]
        (fold,) = said.folds
        described = read_description(results / f"models/pictures/fold-{fold}/model.json")
        assert f"baby{k}" not in described["training_infants"]
        assert "no video" in described["left_out"].get("baby6", "no video")
    with Pixels(results / "pixels/baby0.h5") as pixels:
        assert pixels.size_px == 64
        assert pixels.crops(0, 1).any()
    last = read_infant(results / "predictions/baby6.h5").models["pictures"]
    assert "no video" in last.outcome.detail


def test_the_report_shows_classes_and_where_the_network_looks(studied: Workflow) -> None:
    report = studied.folder / "results" / "report"
    table = pd.read_csv(report / "pictures/baby0/pictures.tsv", sep="\t")
    assert table["panels"].tolist() == ["crop,flow,spatial,temporal"] * 2
    strip = cv2.imread(str(report / "pictures/baby0/01.png"))
    assert strip.shape == (192, 4 * 192 + 3 * 4, 3)
    assert strip.any()
    page = (report / "infants/baby0.html").read_text()
    assert "What the models of pictures look at" in page
    assert "../pictures/baby0/01.png" in page
    index = (report / "index.html").read_text()
    assert "resnet18, trained from random weights" in index
    assert "two-stream" in index
    for name in CLASSES:
        assert name in index


def test_another_size_makes_pictures_and_models_anew_and_no_pose(studied: Workflow) -> None:
    assert studied.planned() == {}
    configure(studied, size_px=72)
    planned = set(studied.planned())
    configure(studied)
    assert {"build_pixels", "train_model", "predict_infant", "draw_pictures"} <= planned
    assert not {"clean_pose", "extract_background", "build_features", "draw_overlay"} & planned
