"""Models trained in one place assess infants in another, by the real Snakefile in both."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from pathlib import Path

import pytest
import yaml

from fidgety.bundle.archive import open_bundle, pack
from fidgety.phantom.plan import plan_cohort
from fidgety.report.wording import BUNDLED_PHANTOMS
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.slow

MINE = {"recording": "mine", "infant": "mine", "cohort": "ward-7", "pose": "own/mine.nc"}
VIDEO = "phantom-ext-01"


@pytest.fixture(scope="module")
def home(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return where models were trained, with an external infant of tracks, and their bundle."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("home") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    track = workflow.folder / "results/phantom/phantom-ref-01/track.nc"
    shutil.copyfile(track, own / "mine.nc")
    own_rows(workflow, [MINE | {"label": "risk"}])
    workflow.configure(sheet="recordings.tsv", cohorts={"ward-7": "external"})
    workflow.run("bundle", "--cores", "1")
    return workflow


@pytest.fixture(scope="module")
def clinic(home: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return another place, in which the same external recordings were assessed with the bundle."""
    workflow = copy_project(tmp_path_factory.mktemp("clinic") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    shutil.copyfile(home.folder / "own/mine.nc", own / "mine.nc")
    shutil.copyfile(home.folder / f"results/phantom/{VIDEO}/video.mp4", own / "video.mp4")
    shutil.copyfile(home.folder / "results/bundle.zip", workflow.folder / "bundle.zip")
    video = {"recording": VIDEO, "infant": VIDEO, "cohort": "ward-7", "video": "own/video.mp4"}
    own_rows(workflow, [MINE | {"label": "risk"}, video | {"label": "normal"}])
    configure(workflow)
    workflow.run("all", "compare", "--cores", "1")
    return workflow


def configure(workflow: Workflow, **values: object) -> None:
    """Write a configuration that leaves to the bundle what is the bundle's."""
    own = {"sheet": "recordings.tsv", "cohorts": {"ward-7": "external"}, "bundle": "bundle.zip"}
    (workflow.folder / "config.yaml").write_text(yaml.safe_dump(own | values))


@pytest.fixture
def ward(clinic: Workflow, tmp_path: Path) -> Workflow:
    """Return a copy of the clinic that a test may change."""
    return clinic.copy(tmp_path / "ward-7")


def refusal(workflow: Workflow, *args: str) -> str:
    """Return what a plan that must fail says."""
    done = workflow.run("--dry-run", "--cores", "1", *args, ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    return text


def test_the_bundle_names_no_infant_and_no_place(home: Workflow) -> None:
    ids = {name for s in plan_cohort("tiny", seed=20230904) for name in (s.infant, s.recording)}
    files = [p for p in (home.folder / "results/bundle").rglob("*") if p.is_file()]
    assert len(files) > 8
    content = b"".join(p.read_bytes() for p in files)
    for secret in (*ids, "mine", "ward-7", str(home.folder), os.path.expanduser("~/")):
        assert secret.encode() not in content, secret
    card = (home.folder / "results/bundle/model_card.md").read_text()
    assert "TRAINED ON DIGITAL PHANTOMS" in card
    assert "6 infants (3 normal, 3 risk)" in card
    archive = open_bundle(home.folder / "results/bundle.zip")
    assert archive.identity == open_bundle(home.folder / "results/bundle").identity
    assert archive.manifest.training.phantoms == 6


def test_a_bundle_is_written_again_only_where_it_changes(home: Workflow, tmp_path: Path) -> None:
    copy = home.copy(tmp_path / "copy")
    assert copy.planned("bundle") == {}
    before = copy.planned()
    values = yaml.safe_load((copy.folder / "config.yaml").read_text())
    copy.configure(**values, publish={"licence": "MIT"})
    assert set(copy.planned("bundle")) == {"write_bundle", "bundle"}
    assert copy.planned() == before, "nothing else changes with it"


def test_the_same_recordings_get_the_same_predictions(home: Workflow, clinic: Workflow) -> None:
    there, here = home.checksums("predictions"), clinic.checksums("predictions")
    assert set(here) == {f"results/predictions/{name}.h5" for name in ("mine", VIDEO)}
    assert here == {name: there[name] for name in here}


def test_nothing_is_trained_and_everything_is_told(clinic: Workflow) -> None:
    results = clinic.folder / "results"
    for part in ("models", "folds.tsv", "training"):
        assert not (results / part).exists()
    bundle = open_bundle(clinic.folder / "bundle.zip")
    for page in ("index.html", "infants/mine.html", f"infants/{VIDEO}.html"):
        text = (results / "report" / page).read_text()
        assert f"came as a bundle (identity {bundle.identity}" in text
        assert BUNDLED_PHANTOMS in text
    assert "External" in (results / "evaluation/metrics.tsv").read_text().title()
    assert "fixed in advance" in (results / "report/index.html").read_text()
    compared = (results / "comparison/table.txt").read_text()
    assert "The models came from a bundle, which holds nobody's scores" in compared


def test_what_changes_runs_again(ward: Workflow) -> None:
    assert ward.planned() == {}
    path = ward.folder / "bundle.zip"
    later = time.time() + 60
    os.utime(path, (later, later))
    assert ward.planned() == {}, "the content counts, not the date"
    folder = ward.folder / "unpacked"
    with zipfile.ZipFile(path) as packed:
        packed.extractall(folder)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"licence": ""', '"licence": "MIT"'))
    pack(folder, path)
    planned = ward.planned()
    assert {"unpack_bundle", "predict_infant", "evaluate", "write_report"} <= set(planned)
    assert planned["predict_infant"] == {"infant=mine", f"infant={VIDEO}"}
    assert not {"standardise_video", "clean_pose", "build_features"} & set(planned)


def test_a_folder_is_as_good_as_the_archive(ward: Workflow, home: Workflow) -> None:
    shutil.copytree(home.folder / "results/bundle", ward.folder / "given")
    configure(ward, bundle="given")
    ward.run("assess", "--cores", "1")
    assert ward.checksums("predictions").items() <= home.checksums("predictions").items()


def test_all_mistakes_are_told_before_any_job(ward: Workflow) -> None:
    configure(
        ward,
        cohorts={"ward-7": "development"},
        features={"origin": "pelvis"},
        models={"own": {"kind": "cnn1d"}},
    )
    text = refusal(ward)
    assert 'features.origin: is "pelvis" in your configuration and "sternum" in the bundle' in text
    assert "models.own: is no model of the bundle" in text
    assert "cohorts: ward-7 is development" in text


def test_a_label_that_the_bundle_does_not_know_is_refused(ward: Workflow) -> None:
    own_rows(ward, [MINE | {"label": "doubtful"}])
    assert "'doubtful': is not among the bundle's classes (normal, risk)" in refusal(ward)


def test_a_damaged_bundle_and_other_code_are_refused(ward: Workflow) -> None:
    path = ward.folder / "bundle.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\1" + whole[len(whole) // 2 + 1 :])
    assert "bundle: bundle.zip: the archive is damaged" in refusal(ward)
    path.write_bytes(whole)
    file = ward.folder / "fidgety/pose/cleaning.py"
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    text = refusal(ward)
    assert "bundle: was made by fidgety" in text
    assert "clean_pose" in text


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("bundle", "bundle"),
        ("results/bundle.zip", "bundle"),
        ("./results/bundle.zip", "bundle"),
        ("results/bundle", "bundle"),
        ("kaur2025", "kaur2025"),
        ("gao2023", "gao2023"),
    ],
)
def test_targets_that_train_are_refused(clinic: Workflow, target: str, name: str) -> None:
    assert f"{name}: trains models" in refusal(clinic, target)


@pytest.mark.parametrize("name", ["results/bundle.zip", "results/bundle"])
def test_the_bundle_of_the_same_results_folder_is_refused(tmp_path: Path, name: str) -> None:
    workflow = copy_project(tmp_path / "copy")
    configure(workflow, bundle=name)
    assert f"bundle: {name} is where `snakemake bundle` writes" in refusal(workflow)


def test_weights_that_hold_infants_are_refused_before_any_job(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "copy")
    workflow.configure(models={"s": {"kind": "svm"}})
    for target in ("bundle", "results/bundle.zip"):
        assert "models.s: the weights of svm hold movement" in refusal(workflow, target)
