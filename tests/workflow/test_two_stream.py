"""Models of pictures on the real Snakefile: from videos to the strips on the infants' pages.

One phantom is rendered, brighter or darker for every infant, with its true tracks beside it: what
the network learns does not matter here, that every stage hands on what the next one needs does.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml

from fidgety.bundle.archive import open_bundle
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
from tests.workflow.test_bundle import refusal
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


#: An infant of another place: a video alone, whose pose is estimated.
VISITOR = {
    "recording": "visitor",
    "infant": "visitor",
    "cohort": "visit",
    "label": "PR",
    "video": "own/visitor.mp4",
}
#: One of its networks.
WEIGHTS = "models/pictures/fold-1/weights.safetensors"


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


def write_visitor(own: Path, visitor: Path) -> None:
    """Write a video of the same phantom in another light."""
    info = video_info(own / "truth.mp4")
    with VideoWriter(visitor, info.rate, 320, 240, crf=20) as writer:
        for frame in iter_frames(own / "truth.mp4"):
            writer.write((frame * 0.75).astype(np.uint8))


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = copy_project(tmp_path_factory.mktemp("pictures") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    own_rows(workflow, write_videos(own))
    configure(workflow)
    workflow.run("--cores", "2")
    return workflow


@pytest.fixture(scope="module")
def home(studied: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return where the models were trained, with one more infant, and their bundle."""
    workflow = studied.copy(tmp_path_factory.mktemp("home") / "copy")
    own = workflow.folder / "own"
    write_visitor(own, own / "visitor.mp4")
    sheet = workflow.folder / "recordings.tsv"
    rows = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False).to_dict("records")
    own_rows(workflow, [*rows, VISITOR])
    configure(workflow, visit="external")
    assert "train_model" not in workflow.planned("bundle")
    workflow.run("bundle", "--cores", "2")
    return workflow


@pytest.fixture(scope="module")
def clinic(home: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return another place, which has the bundle and the infant's video."""
    workflow = copy_project(tmp_path_factory.mktemp("clinic") / "copy")
    for name in ("own/visitor.mp4", "results/bundle.zip"):
        path = workflow.folder / "own" / Path(name).name
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(home.folder / name, path)
    own_rows(workflow, [VISITOR])
    assess_with(workflow)
    workflow.run("--cores", "2")
    return workflow


def assess_with(workflow: Workflow, **values: object) -> None:
    """Write a configuration that leaves to the bundle what is the bundle's."""
    own = {
        "sheet": "recordings.tsv",
        "cohorts": {"visit": "external"},
        "bundle": "own/bundle.zip",
        "report": {"pictures": 2},
    }
    (workflow.folder / "config.yaml").write_text(yaml.safe_dump(own | values))


def configure(workflow: Workflow, size_px: int = 64, **cohorts: str) -> None:
    workflow.configure(
        phantom={"preset": "none"},
        sheet="recordings.tsv",
        cohorts={"ward": "development", **cohorts},
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


def test_a_bundle_judges_a_video_as_where_its_models_were_trained(
    home: Workflow, clinic: Workflow
) -> None:
    name = "results/predictions/visitor.h5"
    there, here = (read_infant(w.folder / name).models["pictures"] for w in (home, clinic))
    assert here.outcome.ok
    assert here.folds == (1, 2)
    assert here.probability.shape == (2, 3, len(CLASSES))
    # Two networks that were trained on other infants, and three clips that are not the same.
    assert not np.allclose(here.probability[0], here.probability[1])
    assert not np.allclose(here.probability[:, 0], here.probability[:, 1])
    np.testing.assert_array_equal(here.probability, there.probability)
    np.testing.assert_array_equal(here.infant_probability, there.infant_probability)
    assert clinic.checksums("predictions") == {name: home.checksums("predictions")[name]}
    assert clinic.checksums("pixels").items() <= home.checksums("pixels").items()


def test_a_bundle_trains_nothing_and_its_networks_show_where_they_look(clinic: Workflow) -> None:
    results = clinic.folder / "results"
    assert not (results / "models").exists()
    assert open_bundle(clinic.folder / "own/bundle.zip").manifest.configuration["pixels"] == {
        "size_px": 64,
        "rate_hz": 6.0,
        "flow": "farneback",
        "bits": "uint8",
    }
    table = pd.read_csv(results / "report/pictures/visitor/pictures.tsv", sep="\t")
    assert table["panels"].tolist() == ["crop,flow,spatial,temporal"] * 2
    page = (results / "report/infants/visitor.html").read_text()
    assert "../pictures/visitor/01.png" in page
    assert "came as a bundle (identity " in page


def test_other_pictures_than_the_bundles_are_refused(clinic: Workflow) -> None:
    assert clinic.planned() == {}
    assess_with(clinic, pixels={"size_px": 72, "flow": "dis", "rate_hz": 6.0})
    text = refusal(clinic)
    assert "pixels.size_px: is 72 in your configuration and 64 in the bundle" in text
    assert 'pixels.flow: is "dis" in your configuration and "farneback" in the bundle' in text
    assert "pixels.rate_hz" not in text
    own = {"pictures": MODEL | {"options": MODEL["options"] | {"streams": "temporal"}}}
    assess_with(clinic, models=own)
    assert "models.pictures: is " in refusal(clinic)
    assess_with(clinic, pixels={"size_px": 64}, models={"pictures": MODEL})
    assert clinic.planned() == {}, "the same said twice is no contradiction"
    assess_with(clinic)


def test_a_bit_of_the_weights_that_is_not_the_bundles_is_refused(
    home: Workflow, clinic: Workflow
) -> None:
    given = clinic.folder / "given"
    shutil.copytree(home.folder / "results/bundle", given)
    whole = (given / WEIGHTS).read_bytes()
    changed = bytearray(whole)
    changed[len(changed) // 2] ^= 1
    (given / WEIGHTS).write_bytes(changed)
    assess_with(clinic, bundle="given")
    text = refusal(clinic)
    assert f"bundle: given: the checksum of {WEIGHTS} is not the one in its manifest.json" in text
    (given / WEIGHTS).write_bytes(whole)
    assert "train_model" not in clinic.planned(), "the folder as it was is taken"

    packed = (clinic.folder / "own/bundle.zip").read_bytes()
    assert packed.count(whole) == 1, "weights are stored as they are"
    damaged = packed.replace(whole, bytes(changed))
    (clinic.folder / "own/damaged.zip").write_bytes(damaged)
    assess_with(clinic, bundle="own/damaged.zip")
    text = refusal(clinic)
    assert "bundle: own/damaged.zip: the archive is damaged" in text
    assert WEIGHTS in text
    assess_with(clinic)
