"""Only what changed runs again: each test asks the real Snakefile what it would do."""

from __future__ import annotations

import os
import time

import pytest

from tests.workflow.conftest import PARTS, Workflow

pytestmark = pytest.mark.slow

RECORDING_RULES = {
    "render_phantom",
    "simulate_track",
    "standardise_video",
    "extract_background",
    "estimate_pose",
    "import_pose",
    "clean_pose",
    "build_features",
    "draw_overlay",
}


def edit(workflow: Workflow, path: str, old: str, new: str) -> None:
    """Replace text in a file of the copy; the text must be there once."""
    file = workflow.folder / path
    text = file.read_text()
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}"
    file.write_text(text.replace(old, new))


def test_second_run_does_nothing(tiny_run: Workflow) -> None:
    assert tiny_run.planned() == {}


def test_everything_a_user_needs_is_there(tiny_run: Workflow) -> None:
    results = tiny_run.folder / "results"
    assert (results / "report" / "index.html").stat().st_size > 5000
    assert list((results / "report" / "infants").glob("*.html"))
    leftovers = [
        p.name for p in results.rglob(".*") if p.is_file() and p.name != ".snakemake_timestamp"
    ]
    assert leftovers == [], "temporary files are left behind"
    outside = {p.name for p in tiny_run.folder.iterdir()}
    assert outside <= {*PARTS, "results", ".snakemake"}


def own_rows(workflow: Workflow, rows: list[dict[str, str]]) -> None:
    """Give the workflow a sample sheet beside its phantoms."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["\t".join(columns)] + ["\t".join(row.get(c, "") for c in columns) for row in rows]
    (workflow.folder / "recordings.tsv").write_text("\n".join(lines) + "\n")


def a_video(workflow: Workflow) -> str:
    """Return the path of a phantom's video, copied to serve as somebody's own."""
    source = next((workflow.folder / "results" / "phantom").glob("*/video.mp4"))
    own = workflow.folder / "own"
    own.mkdir(exist_ok=True)
    target = own / f"baby{len(list(own.iterdir()))}.mp4"
    target.write_bytes(source.read_bytes())
    return str(target.relative_to(workflow.folder))


def test_added_infant_runs_its_jobs_and_the_aggregates(tiny_copy: Workflow) -> None:
    own_rows(
        tiny_copy,
        [{"recording": "mine", "infant": "mine", "cohort": "clinic", "video": a_video(tiny_copy)}],
    )
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"clinic": "new"})
    planned = tiny_copy.planned()
    assert set(planned) == {
        "standardise_video",
        "extract_background",
        "estimate_pose",
        "clean_pose",
        "build_features",
        "draw_overlay",
        "predict_infant",
        "write_infant_page",
        "collect_cohort",
        "evaluate",
        "write_report",
        "all",
    }
    for rule in RECORDING_RULES & set(planned):
        assert planned[rule] == {"recording=mine"}
    for rule in ("predict_infant", "write_infant_page"):
        assert planned[rule] == {"infant=mine"}
    assert planned["collect_cohort"] == {"role=new"}


def test_changed_label_reruns_no_recording_job(tiny_copy: Workflow) -> None:
    row = {
        "recording": "mine",
        "infant": "mine",
        "cohort": "ward",
        "video": a_video(tiny_copy),
        "label": "normal",
    }
    own_rows(tiny_copy, [row])
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"ward": "external"})
    tiny_copy.run("--cores", "2")
    assert tiny_copy.planned() == {}
    own_rows(tiny_copy, [row | {"label": "risk"}])
    planned = tiny_copy.planned()
    assert not RECORDING_RULES & set(planned)
    assert "train_model" not in planned
    assert {"collect_cohort", "evaluate", "write_report"} <= set(planned)


def test_touched_video_reruns_nothing_and_other_content_does(tiny_copy: Workflow) -> None:
    video = a_video(tiny_copy)
    own_rows(
        tiny_copy, [{"recording": "mine", "infant": "mine", "cohort": "clinic", "video": video}]
    )
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"clinic": "new"})
    tiny_copy.run("--cores", "2", "results/features/mine.h5")
    assert tiny_copy.planned("results/features/mine.h5") == {}
    path = tiny_copy.folder / video
    later = time.time() + 60
    os.utime(path, (later, later))
    assert tiny_copy.planned("results/features/mine.h5") == {}
    others = list((tiny_copy.folder / "results" / "phantom").glob("*/video.mp4"))
    path.write_bytes(others[-1].read_bytes() + b"\0" * 8)
    planned = tiny_copy.planned("results/features/mine.h5")
    assert planned["standardise_video"] == {"recording=mine"}
    assert planned["build_features"] == {"recording=mine"}


def test_comment_in_the_library_reruns_nothing(tiny_copy: Workflow) -> None:
    for path in (
        "fidgety/pose/cleaning.py",
        "fidgety/video/standardise.py",
        "workflow_scripts/clean_pose.py",
    ):
        file = tiny_copy.folder / path
        file.write_text(file.read_text() + "\n# A remark that changes nothing.\n")
    file = tiny_copy.folder / "fidgety/storage.py"
    file.write_text('"""Another docstring."""\n' + file.read_text().split('"""', 2)[2])
    assert tiny_copy.planned() == {}


def test_changed_cleaning_reruns_cleaning_and_what_follows(tiny_copy: Workflow) -> None:
    file = tiny_copy.folder / "fidgety/pose/cleaning.py"
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    planned = tiny_copy.planned()
    assert {"clean_pose", "build_features", "train_model", "predict_infant", "evaluate"} <= set(
        planned
    )
    assert not {
        "render_phantom",
        "simulate_track",
        "standardise_video",
        "extract_background",
        "estimate_pose",
        "import_pose",
    } & set(planned)
    everyone = {p.stem for p in (tiny_copy.folder / "results" / "pose" / "clean").glob("*.h5")}
    assert planned["clean_pose"] == {f"recording={r}" for r in everyone}


def test_changed_model_retrains_it_alone(tiny_copy: Workflow) -> None:
    file = tiny_copy.folder / "fidgety/models/kaur.py"
    file.write_text(file.read_text() + "\nCHANGED = True\n")
    trained = tiny_copy.planned()["train_model"]
    assert trained
    assert all("model=cnn1d" in job for job in trained)


@pytest.mark.parametrize(
    ("values", "first", "untouched"),
    [
        ({"features": {"origin": "pelvis"}}, "build_features", {"clean_pose"}),
        ({"cleaning": {"max_gap_s": 0.5}}, "clean_pose", {"estimate_pose", "import_pose"}),
        ({"pose": {"min_detected": 0.4}}, "estimate_pose", {"import_pose", "extract_background"}),
        ({"background": {"apply": "blur"}}, "estimate_pose", {"extract_background"}),
        ({"evaluation": {"bootstrap": 500}}, "evaluate", {"train_model", "predict_infant"}),
        ({"evaluation": {"threshold": 0.4}}, "train_model", {"assign_folds", "build_features"}),
        ({"report": {"title": "Ward 7"}}, "write_report", {"draw_overlay", "evaluate"}),
        ({"training": {"device": "cpu"}}, "write_report", {"train_model", "predict_infant"}),
    ],
)
def test_config_reruns_the_stages_that_use_it(
    tiny_copy: Workflow, values: dict[str, object], first: str, untouched: set[str]
) -> None:
    tiny_copy.configure(**values)
    planned = set(tiny_copy.planned())
    assert first in planned
    assert not (untouched | {"render_phantom", "standardise_video"}) & planned


@pytest.mark.long
def test_a_note_on_a_development_infant_retrains_nothing(tiny_copy: Workflow) -> None:
    track = min((tiny_copy.folder / "results" / "phantom").glob("*/track.nc"))
    (tiny_copy.folder / "own.nc").write_bytes(track.read_bytes())
    row = {
        "recording": "mine",
        "infant": "mine",
        "cohort": "ward",
        "pose": "own.nc",
        "label": "normal",
        "gmfcs": "",
        "cp": "",
        "follow_up_age_months": "",
        "x_note": "",
    }
    own_rows(tiny_copy, [row])
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"ward": "development"})
    model = "results/models/cnn1d/fold-1/model.json"
    assert "train_model" in tiny_copy.planned(model)
    tiny_copy.run("--cores", "2", model)
    assert tiny_copy.planned(model) == {}
    seen = {"gmfcs": "2", "cp": "yes", "follow_up_age_months": "30", "x_note": "seen again"}
    own_rows(tiny_copy, [row | seen])
    assert tiny_copy.planned(model) == {}
    own_rows(tiny_copy, [row | {"label": "risk"}])
    assert "train_model" in tiny_copy.planned(model)
