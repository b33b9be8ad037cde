"""Mistakes found before any job runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from fidgety.cohort import Study
from fidgety.config.root import parse_config
from fidgety.config.study import Role
from fidgety.errors import ConfigError
from fidgety.inclusion import Decision
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.plan_check import (
    check_backend_files,
    check_best_clips,
    check_duplicates,
    check_infants,
    check_methods,
    check_pixels,
    check_places,
    check_plan,
    check_reading,
)
from fidgety.sheet import Recording


def study(
    labels: list[str],
    videos: list[str] | None = None,
    folder: Path = Path(),
    sites: list[str | None] | None = None,
) -> Study:
    """Return a development cohort with one infant a label."""
    recordings = {
        f"r{k}": Recording(
            recording=f"r{k}",
            infant=f"i{k}",
            cohort="ward",
            role=Role.DEVELOPMENT,
            label=label,
            video=videos[k] if videos else None,
            site=sites[k] if sites else None,
        )
        for k, label in enumerate(labels)
    }
    return Study(recordings, (), dict.fromkeys(recordings, Decision()), folder)


def test_the_defaults_are_right() -> None:
    assert check_methods(parse_config({})) == []


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
def test_a_model_checks_the_options_that_it_is_planned_with(kind: str) -> None:
    assert MODEL_SYSTEMS.get(kind).options is MODEL_SYSTEMS.options(kind)


def test_a_grid_needs_validation_infants() -> None:
    model = {"kind": "cnn1d", "grid": {"dropout": [0.1, 0.3]}}
    config = {"models": {"m": model}, "folds": {"validation_share": 0}}
    (finding,) = check_methods(parse_config(config))
    assert "models.m: a grid is chosen from by validation infants" in finding
    assert check_methods(parse_config({"models": {"m": model}})) == []


def test_infants_a_class_bound_the_folds() -> None:
    config = parse_config({"folds": {"n": 3}})
    assert check_infants(config, study(["normal", "risk"] * 3)) == []
    (finding,) = check_infants(config, study(["normal"] * 5 + ["risk"] * 2))
    assert "at most 2" in finding
    (finding,) = check_infants(config, study(["normal"] * 5))
    assert "at least two infants of every class" in finding


def by_site(sites: list[str | None], labels: str = "nrnrnr", n: int | None = None) -> list[str]:
    """Return the findings on folds by site of six infants: normal or at risk, each of a site."""
    folds = {"by": "site"} | ({} if n is None else {"n": n})
    named = [{"n": "normal", "r": "risk"}[label] for label in labels]
    return check_infants(parse_config({"folds": folds}), study(named, sites=sites))


def test_sites_can_be_folds() -> None:
    assert by_site(["x", "x", "y", "y", "y", "y"]) == []
    assert by_site(["x", "x", "y", "y", "z", "z"], n=3) == []
    (finding,) = by_site(["x", "x", "y", "y", "z", "z"], n=2)
    assert "folds.n: 2" in finding
    assert "3 sites (x, y, z)" in finding
    assert "set it to 3" in finding
    (finding,) = by_site(["x"] * 6)
    assert "at least 2 sites; i0, i1, i2, i3, i4, i5 are all of 'x'" in finding
    (finding,) = by_site(["x", None, "y", "y", "y", None])
    assert "i1, i5 have none. Fill in the column 'site'" in finding
    # A site of one class is a fold, as long as the others have both.
    assert by_site(["x", "x", "y", "x", "z", "z"]) == []
    (finding,) = by_site(["x", "x", "y", "x", "y", "x"])
    assert "without the site 'x' no development infant of class 'risk'" in finding


def test_an_infant_of_two_sites_is_refused() -> None:
    own = study(["normal", "risk"] * 3, sites=["x", "x", "y", "y", "y", "y"])
    again = own.recordings["r5"].model_copy(update={"recording": "r6", "site": "x"})
    both = Study({**own.recordings, "r6": again}, (), {**own.decisions, "r6": Decision()})
    (finding,) = check_infants(parse_config({"folds": {"by": "site"}}), both)
    assert "development infant i5 has recordings at the sites x, y" in finding
    assert check_infants(parse_config({"folds": {"n": 3}}), both) == []


def test_reference_clips_need_their_site_too() -> None:
    own = study(["normal", "risk"] * 3, sites=["x", "x", "y", "y", "y", "y"])
    clip = own.recordings["r5"].model_copy(
        update={"recording": "c", "infant": "clip", "site": None, "role": Role.REFERENCE}
    )
    both = Study({**own.recordings, "c": clip}, (), {**own.decisions, "c": Decision()})
    (finding,) = check_infants(parse_config({"folds": {"by": "site"}}), both)
    assert "every reference infant; clip have none" in finding


def test_labels_must_be_classes_of_the_study() -> None:
    config = parse_config({"classes": [{"name": "FMs"}, {"name": "PR", "at_risk": True}]})
    (finding,) = check_infants(config, study(["normal"] * 4))
    assert "'normal'" in finding
    assert "FMs, PR" in finding
    assert "r0, r1, r2 ..." in finding


def test_only_files_of_equal_size_are_compared(tmp_path: Path) -> None:
    for name, content in {"a": b"1234", "b": b"1234", "c": b"5678", "d": b"12345"}.items():
        (tmp_path / name).write_bytes(content)
    asked: list[str] = []

    def checksum(path: Path) -> str:
        asked.append(path.name)
        return path.read_bytes().hex()

    cohort = study(["normal"] * 4, ["a", "b", "c", "d"], tmp_path)
    (finding,) = check_duplicates(cohort, checksum)
    assert "r0, r1 have the same content" in finding
    assert sorted(asked) == ["a", "b", "c"]


def test_all_findings_come_at_once() -> None:
    config = parse_config({"pose": {"method": "mediapip"}, "folds": {"n": 9}})
    with pytest.raises(ConfigError) as caught:
        check_plan(config, study(["normal", "risk"] * 3), lambda path: "")
    assert "mediapipe" in str(caught.value)
    assert "at most 3" in str(caught.value)


def test_a_lifter_is_checked_with_its_weights(tmp_path: Path) -> None:
    wrong = parse_config({"lifting": {"method": "mmpos", "options": {}}})
    assert "Did you mean 'mmpose'?" in check_methods(wrong)[0]
    unknown = parse_config({"lifting": {"method": "mmpose", "options": {"colour": 1}}})
    assert "lifting.options.colour: no such key" in check_methods(unknown)[0]
    weights = tmp_path / "weights.pth"
    options = {"checkpoint": str(weights), "sha256": "A" * 64}
    config = parse_config({"lifting": {"method": "mmpose", "options": options}})
    assert check_methods(config) == []
    (absent,) = check_backend_files(config, lambda path: "a" * 64)
    assert absent.startswith(f"lifting.options.checkpoint: there is no file {weights}. Download")
    weights.touch()
    assert check_backend_files(config, lambda path: "a" * 64) == []
    (other,) = check_backend_files(config, lambda path: "b" * 64)
    assert "lifting.options.checkpoint" in other
    assert "b" * 64 in other


def test_models_of_pictures_need_their_rate_and_their_file(tmp_path: Path) -> None:
    def findings(**options) -> list[str]:
        model = {"kind": "two_stream", "options": options}
        return check_pixels(parse_config({"models": {"a": model, "b": {"kind": "cnn1d"}}}))

    assert findings() == []
    assert "pixels.rate_hz is 6" in findings(rate_hz=5.0)[0]
    (missing,) = findings(weights=str(tmp_path / "none.pth"))
    assert "models.a.options.weights" in missing
    assert "none.pth" in missing
    (tmp_path / "none.pth").write_bytes(b"x")
    assert findings(weights=str(tmp_path / "none.pth")) == []
    assert findings(streamz="x") == []  # told by the check of options
    raft = {"flow": "raft", "raft_weights": str(tmp_path / "raft.onnx")}
    assert "raft.onnx" in check_pixels(parse_config({"pixels": raft}))[0]
    with pytest.raises(ConfigError, match="raft_weights"):
        parse_config({"pixels": {"flow": "raft"}})


def test_a_model_of_another_file_is_left_out() -> None:
    config = parse_config({"models": {"a": {"kind": "cnn1d"}, "b": None}})
    assert list(config.models) == ["a"]


def test_clips_are_chosen_by_a_model_that_finds_the_movement() -> None:
    def findings(name: str | None) -> list[str]:
        return check_best_clips(parse_config({"report": {"best_clips_model": name}}))

    assert findings(None) == []
    assert findings("mam_clip") == []
    assert "'mam_clp' is no model" in findings("mam_clp")[0]
    assert "mam_clip" in findings("mam_clp")[0]
    assert "finds no fidgety movements" in findings("cnn1d")[0]


def test_infants_to_read_are_in_the_study() -> None:
    def findings(*infants: str) -> list[str]:
        config = parse_config({"reading": {"infants": list(infants)}})
        return check_reading(config, study(["normal", "risk"]))

    assert findings("i0", "i1") == []
    assert findings("i0", "nobody")[0].startswith("reading.infants: 'nobody' is no infant")


def places(tmp_path: Path, results: str, **values: object) -> list[str]:
    """Return the findings on where files lie, of two infants with a video each."""
    config = parse_config({"results": results, **values})
    both = study(["normal", "risk"], ["v/0.mp4", "v/1.mp4"], Path("study"))
    return check_places(config, both, tmp_path / "checkout")


def test_files_of_the_user_lie_outside_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    (work / "study" / "v").mkdir(parents=True)
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(work)
    assert places(tmp_path, "results") == []
    assert places(tmp_path, "results", sheet="study/s.tsv") == []
    # A name that only starts alike is another folder.
    assert places(tmp_path, "stud", sheet="study/s.tsv") == []
    found = places(tmp_path, "study", sheet="study/s.tsv", intervals="study/i.tsv")
    assert [line.split(": study/")[0] for line in found] == [
        *("sheet", "intervals", "sheet: recording r0: video", "sheet: recording r1: video"),
    ]
    (finding,) = places(tmp_path, "r", corrections={"folder": "r/corrections"})
    assert "corrections.folder: r/corrections lies in the results folder r" in finding
    for results in (".", str(work), str(tmp_path), str(tmp_path / "checkout")):
        finding = places(tmp_path, results, sheet="study/s.tsv")[0]
        assert finding.startswith(f"results: {results} is, or has in it, the ")
    # A link into the results folder is no other place.
    (work / "r").mkdir()
    (work / "r" / "kept.tsv").write_text("")
    (work / "link.tsv").symlink_to("r/kept.tsv")
    assert len(places(tmp_path, "r", sheet="link.tsv")) == 1
    with pytest.raises(ConfigError, match=r"sheet: study/s\.tsv lies in the results folder"):
        check_plan(parse_config({"results": "study", "sheet": "study/s.tsv"}), study([]), str)
