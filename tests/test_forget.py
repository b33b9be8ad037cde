"""Everything of one infant goes, and nothing that is somebody else's alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.checksums import FOLDER, Stamp, read_record, record
from fidgety.errors import ConfigError
from fidgety.forget import (
    BLOCK,
    check_known,
    filled,
    find_traces,
    forget,
    in_use,
    names_it,
    of_snakemake,
    of_the_same_job,
    recordings_in,
    told,
    word,
)

IDS = st.text("abAB01_-", min_size=1, max_size=6)


def rules(results: Path) -> list[list[str]]:
    """Return outputs as the workflow's rules have them: of recordings, of infants, of nobody."""
    return [
        [f"{results}/pose/{{recording}}.h5", f"{results}/logs/pose/{{recording}}.log"],
        [f"{results}/predictions/{{infant}}.h5"],
        [f"{results}/clips/{{infant,[a-z0-9]+}}"],
        [f"{results}/models/{{model}}/fold-{{fold}}/{n}" for n in ("model.json", "weights.bin")],
        [f"{results}/reading/key.json", f"{results}/reading/pages"],
        [f"{results}/evaluation/roc.svg"],
        [f"{results}/folds.tsv"],
    ]


def cohort(results: Path) -> None:
    """Write results of baby1 (recordings r1, r1-b) and baby10 (r10)."""
    files = {
        **{f"pose/{r}.h5": "x" for r in ("r1", "r1-b", "r10")},
        **{f"logs/pose/{r}.log": "x" for r in ("r1", "r1-b", "r10")},
        **{f"predictions/{i}.h5": f"{i} in full" for i in ("baby1", "baby10")},
        **{f"clips/{i}/01.mp4": "x" for i in ("baby1", "baby10")},
        "models/net/fold-1/model.json": '{"training_infants": ["baby10"]}',
        "models/net/fold-1/weights.bin": "w",
        "models/net/fold-2/model.json": '{"training_infants": ["baby1", "baby10"]}',
        "models/net/fold-2/weights.bin": "w",
        "reading/key.json": '{"A7": {"recording": "r1-b"}}',
        "reading/pages/videos/A7.mp4": "x",
        "evaluation/roc.svg": "nobody",
        "folds.tsv": "infant\tlabel\tfold\nbaby1\trisk\t1\nbaby10\tnormal\t2\n",
        "cohort/new.tsv": "recording\tinfant\nr1\tbaby1\nr1-b\tbaby1\nr10\tbaby10\n",
        ".index/sources.json": json.dumps(
            {"version": 1, "files": {"/v/r1.mp4": [1], "/v/r10.mp4": [2]}}
        ),
        ".cache/body.bin": "baby1",
        "frames/r1/000000.png": "a face",
        "frames/r10/000000.png": "another",
    }
    for name, text in files.items():
        path = results / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folders = [results / "clips" / infant for infant in ("baby1", "baby10")]
    folders += [results / "frames" / recording for recording in ("r1", "r10")]
    recorded = [n for n in files if n.split("/")[0] not in ("clips", "frames", ".index", ".cache")]
    record([*(results / n for n in recorded), *folders], results / FOLDER, {"rule": "x"})


def test_an_infant_goes_and_the_others_stay(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cohort(results)
    recordings = recordings_in([results / "cohort" / "new.tsv"], "baby1")
    assert recordings == {"r1", "r1-b"}
    traces = find_traces(results, rules(results), "baby1", recordings)
    said = told(traces, ["sheet.tsv: its rows"], "removed")
    assert "1 models had a part of it" in said
    assert "sheet.tsv: its rows" in said
    forget(traces, word({"baby1", *recordings}))
    recorded = [
        *("pose/r10.h5", "logs/pose/r10.log", "predictions/baby10.h5", "clips/baby10"),
        *("models/net/fold-1/model.json", "models/net/fold-1/weights.bin", "evaluation/roc.svg"),
        *("folds.tsv", "frames/r10"),
    ]
    left = {str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()}
    assert left == {
        "pose/r10.h5",
        "logs/pose/r10.log",
        "predictions/baby10.h5",
        "clips/baby10/01.mp4",
        "models/net/fold-1/model.json",
        "models/net/fold-1/weights.bin",
        "evaluation/roc.svg",
        "folds.tsv",
        ".index/sources.json",
        ".cache/body.bin",
        "frames/r10/000000.png",
        *(f"{FOLDER}/{name}.json" for name in recorded),
    }
    assert not (results / "frames" / "r1").exists()
    # Folds were rewritten on purpose, and their checksum with them.
    assert read_record(results / FOLDER / "folds.tsv.json").files[""] == Stamp.of(
        results / "folds.tsv"
    )
    assert (results / "folds.tsv").read_text() == "infant\tlabel\tfold\nbaby10\tnormal\t2\n"
    assert json.loads((results / ".index/sources.json").read_text())["files"] == {"/v/r10.mp4": [2]}
    again = find_traces(results, rules(results), "baby1", recordings)
    assert (again.remove, again.rewrite, again.trained) == ((), (), ())
    forget(again, word({"baby1"}))


def test_sources_go_out_of_the_index_whatever_they_are_called(tmp_path: Path) -> None:
    index = tmp_path / "results" / ".index" / "sources.json"
    index.parent.mkdir(parents=True)
    files = {f"{tmp_path}/{name}": [1] for name in ("IMG_0001.MOV", "IMG_0002.MOV", "r1.mp4")}
    index.write_text(json.dumps({"version": 1, "files": files}))
    names, own = word({"baby1", "r1"}), [f"{tmp_path}/folder/../IMG_0001.MOV"]
    traces = find_traces(tmp_path / "results", [], "baby1", ["r1"], own)
    assert traces.rewrite == (index,)
    forget(traces, names, own)
    assert list(json.loads(index.read_text())["files"]) == [f"{tmp_path}/IMG_0002.MOV"]
    assert find_traces(tmp_path / "results", [], "baby1", ["r1"], own).rewrite == ()


@given(infant=IDS, other=IDS)
def test_a_name_is_found_whole_or_not_at_all(infant: str, other: str) -> None:
    pattern = word({infant})
    assert pattern.search(f'{{"a": "{infant}"}}'.encode())
    assert pattern.search(f"x\t{infant}\n".encode())
    assert bool(pattern.search(other.encode())) == (infant == other)


@given(infant=IDS, recording=IDS)
def test_patterns_are_filled_for_their_owners_alone(infant: str, recording: str) -> None:
    assert list(filled("r/{model}/x.h5", infant, [recording])) == []
    assert list(filled("r/{infant}.h5", infant, [])) == [f"r/{infant}.h5"]
    assert list(filled("r/{recording}/{model}.h5", infant, [recording])) == [f"r/{recording}/*.h5"]


def test_a_name_across_two_blocks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "big"
    for at in (0, BLOCK - 3, BLOCK, 2 * BLOCK - 1):
        content = bytearray(b" " * (2 * BLOCK + 100))
        content[at + 1 : at + 6] = b"baby1"
        path.write_bytes(content)
        assert names_it(path, word({"baby1"}))
        assert not names_it(path, word({"baby2", "aby1", "baby"}))


def test_files_of_one_job_are_found_by_its_wildcards() -> None:
    outputs = [["m/{model}/{fold}/a", "m/{model}/{fold}/b", "n/{model}"], ["m/{x}/a"]]
    assert of_the_same_job("m/net/2/a", outputs) == {"m/net/2/a", "m/net/2/b", "n/net"}
    assert of_the_same_job("elsewhere", outputs) == {"elsewhere"}


def test_records_of_snakemake_go_with_their_files(tmp_path: Path) -> None:
    def record(part: str, about: str, text: str = "{}") -> Path:
        path = tmp_path / part / base64.b64encode(about.encode()).decode()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    gone = [
        record("metadata", "results/pose/r1.h5"),
        record("metadata", "results/clips/baby1/01.mp4"),
        record("metadata", "results/all.tsv", '{"params": ["baby1"]}'),
        record("incomplete", "results/pose/r1.h5"),
    ]
    record("metadata", "results/pose/r10.h5")
    (tmp_path / "log").mkdir()
    for name, text in (("a.log", "Clean r1 now"), ("b.log", "Clean r10 now")):
        (tmp_path / "log" / name).write_text(text)
    removed = ["results/pose/r1.h5", "results/clips/baby1"]
    found = of_snakemake(tmp_path, removed, word({"baby1", "r1"}))
    assert found == sorted([*gone, tmp_path / "log" / "a.log"])


def test_what_another_run_works_on_is_seen(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    assert in_use(locks, [Path("results/a.h5")]) == []
    locks.mkdir()
    (locks / "0.output.lock").write_text("results/a.h5\nresults/b.h5\nresults/clips/x/1.mp4\n")
    assert in_use(locks, [Path("results/a.h5")]) == ["results/a.h5"]
    assert in_use(locks, [Path("results/clips/x")]) == ["results/clips/x/1.mp4"]
    assert in_use(locks, [Path("results/c.h5")]) == []


def test_nobody_of_that_name_is_a_message() -> None:
    check_known("baby1", [], ["baby1"])
    check_known("gone", ["r1"], ["baby1"])
    with pytest.raises(ConfigError, match=r"'baby2' is neither .* Did you mean 'baby1'\?"):
        check_known("baby2", [], ["baby1"])
