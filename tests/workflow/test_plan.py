"""The workflow as planned: dry runs, lint, and errors before any job runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow, copy_project


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return copy_project(tmp_path_factory.mktemp("plan") / "fresh")


def test_dry_run_plans_every_stage(fresh: Workflow) -> None:
    fresh.configure()
    planned = fresh.planned()
    assert {
        "render_phantom",
        "simulate_track",
        "standardise_video",
        "extract_background",
        "estimate_pose",
        "import_pose",
        "clean_pose",
        "build_features",
        "collect_cohort",
        "assign_folds",
        "train_model",
        "predict_infant",
        "evaluate",
        "draw_overlay",
        "write_infant_page",
        "write_report",
    } <= set(planned)
    assert set(planned["train_model"]) == {
        f"model={model}, fold={k}" for model in ("cnn1d", "mam_clip") for k in (1, 2)
    }


def test_models_of_pictures_read_pixels_and_are_explained(fresh: Workflow) -> None:
    """The configuration of the two-stream network that the documentation names."""
    fresh.configure()
    planned = fresh.planned("--configfile", "config/hashimoto2022_small.yaml")
    models = ("fusion", "spatial", "sum", "temporal")
    assert set(planned["train_model"]) == {
        f"model={model}, fold={k}" for model in models for k in (1, 2, 3, 4)
    }
    assert len(planned["build_pixels"]) == len(planned["explain_pictures"]) == 42
    assert len(planned["draw_pictures"]) == 42
    fresh.configure()
    assert not {"build_pixels", "explain_pictures"} & set(fresh.planned())


def test_pages_are_made_of_those_that_want_one(fresh: Workflow) -> None:
    """A study of thousands wants its figures first, and the overlay of whom it asks for."""
    (fresh.folder / "ward.mp4").write_bytes(b"nobody opens it")
    (fresh.folder / "ward.tsv").write_text(
        "recording\tinfant\tcohort\tvideo\nward-01\tw1\tward\tward.mp4\n"
    )
    ward = {"sheet": "ward.tsv", "cohorts": {"ward": "new"}}
    fresh.configure(**ward)
    everybody = fresh.planned()
    fresh.configure(**ward, report={"pages": "new"})
    new = fresh.planned()
    asked = fresh.planned("results/report/infants/phantom-ext-01.html")
    fresh.configure(**ward, report={"pages": "none"})
    nobody = fresh.planned()
    page = fresh.folder / "results/report/infants/phantom-ext-02.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("asked for before")
    kept = fresh.planned()
    page.unlink()
    assert len(everybody["write_infant_page"]) > 1
    assert kept["write_infant_page"] == {"infant=phantom-ext-02"}
    assert new["write_infant_page"] == {"infant=w1"}
    assert new["draw_overlay"] == {"recording=ward-01"}
    assert asked["write_infant_page"] == {"infant=phantom-ext-01"}
    assert not {"write_infant_page", "draw_overlay"} & set(nobody)
    assert set(nobody["predict_infant"]) == set(everybody["predict_infant"])


def test_lint_finds_nothing(fresh: Workflow) -> None:
    fresh.configure()
    done = fresh.run("--lint", ok=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_config_errors_come_all_at_once_and_without_traceback(fresh: Workflow) -> None:
    fresh.configure(cleening={}, video={"max_rate": 25})
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "cleening" in text
    assert "'cleaning'" in text
    assert "video.max_rate" in text
    assert "Traceback" not in text


def test_an_alias_without_end_is_a_message(fresh: Workflow) -> None:
    (fresh.folder / "config.yaml").write_text("a: &a\n  b: *a\n")
    done = fresh.run("--dry-run", ok=False)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "config.yaml: is nested more than 50 levels deep; does an alias" in said
    assert "RecursionError" not in said
    assert "Traceback" not in said


def test_mistakes_about_methods_and_models_are_found_before_any_job(fresh: Workflow) -> None:
    fresh.configure(
        pose={"options": {"mod": "static"}},
        background={"method": "medianne"},
        features={"sets": ["coordinates_2d", "coordinate_3d"]},
        folds={"n": 20},
        models={"a.b": {"kind": "cnn1d", "options": {"filtres": [8]}}, "c": {"kind": "mam_clp"}},
    )
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    for expected in (
        "pose.options.mod",
        "'mode'",
        "medianne",
        "'median'",
        "coordinate_3d",
        "models.a.b",
        "filtres",
        "'filters'",
        "mam_clip",
        "at most 3",
    ):
        assert expected in text, expected
    fresh.configure(features={"sets": ["coordinates_2d"]})
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert "angles_2d" in text
    assert "models.mam_clip: reads the feature sets coordinates_3d" in text


def test_sheet_errors_name_row_column_value(fresh: Workflow) -> None:
    (fresh.folder / "recordings.tsv").write_text(
        "recording\tinfant\tcohort\tvideo\tlabel\n"
        "a/../b\tx\tward\tmissing.mp4\tnormal\n"
        "c\ty\tward\tmissing.mp4\tnromal\n"
    )
    fresh.configure(sheet="recordings.tsv", cohorts={"ward": "external"})
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    for expected in ("row 2", "row 3", "a/../b", "nromal", "'normal'", "missing.mp4"):
        assert expected in text


def test_no_rule_uses_run_blocks() -> None:
    rules = Path(__file__).resolve().parents[2] / "rules"
    for path in rules.glob("*.smk"):
        assert "\n    run:" not in path.read_text(), path.name


def test_a_url_without_its_plugin_names_the_plugin(fresh: Workflow) -> None:
    (fresh.folder / "recordings.tsv").write_text(
        "recording\tinfant\tcohort\tvideo\none\tx\tward\tgs://ward/a.mp4\n"
    )
    fresh.configure(sheet="recordings.tsv", cohorts={"ward": "new"})
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "gs://ward/a.mp4: no storage plugin takes this URL" in text
    assert "snakemake-storage-plugin-gcs)" in text


def test_one_video_under_two_names_is_refused(fresh: Workflow) -> None:
    for name in ("a", "b", "c"):
        (fresh.folder / f"{name}.mp4").write_bytes(b"film of c" if name == "c" else b"same film")
    (fresh.folder / "recordings.tsv").write_text(
        "recording\tinfant\tcohort\tvideo\tlabel\n"
        "one\tx\tward\ta.mp4\tnormal\ntwo\ty\tclinic\tb.mp4\t\nthree\tz\tclinic\tc.mp4\t\n"
    )
    fresh.configure(sheet="recordings.tsv", cohorts={"ward": "external", "clinic": "new"})
    done = fresh.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "recordings one, two have the same content" in text
    assert "three" not in text


def test_planning_loads_no_library_of_the_jobs(fresh: Workflow) -> None:
    """Every call of snakemake would wait for it, and who submits to a cluster may not have it."""
    fresh.configure()
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--dry-run", "--quiet"]
    done = subprocess.run(
        command, cwd=fresh.folder, env=fresh.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "fidgety.plan_check" in loaded
    assert not loaded & {"cv2", "h5py", "pandas", "scipy", "sklearn", "torch", "xarray"}
