"""Everything of one infant goes, and nothing that is somebody else's alone."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.checksums import FOLDER, Stamp, read_record, record
from fidgety.config.root import parse_config
from fidgety.errors import ConfigError, StorageError
from fidgety.forget.asking import BLOCK, asked, names_it
from fidgety.forget.layout import filled, of_the_same_job
from fidgety.forget.removal import forget, remove, told
from fidgety.forget.rewriting import rewritten
from fidgety.forget.search import Traces, find_traces
from fidgety.forget.snakemake_files import blacken, empty_folders, fetched, in_use, of_snakemake
from fidgety.forget.whom import Whom, known_of, recordings_in, typed_infant, word
from fidgety.infants_index import INFANTS, Owned, absolute, add_infants, kept_aside, read_infants

IDS = st.text("abAB01_-", min_size=1, max_size=6)


def whom(infant: str, *recordings: str, **more: set[str]) -> Whom:
    return Whom(infant, frozenset(recordings), **{k: frozenset(v) for k, v in more.items()})


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
    who = Whom("baby1", frozenset(recordings))
    traces = find_traces(results, rules(results), who)
    said = told(traces, ["sheet.tsv: its rows"], "removed")
    assert "1 models had a part of it" in said
    assert "sheet.tsv: its rows" in said
    forget(traces, who, results)
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
    again = find_traces(results, rules(results), who)
    assert again == Traces(())
    forget(again, who, results)


def test_sources_go_out_of_the_index_whatever_they_are_called(tmp_path: Path) -> None:
    index = tmp_path / "results" / ".index" / "sources.json"
    index.parent.mkdir(parents=True)
    files = {f"{tmp_path}/{name}": [1] for name in ("IMG_0001.MOV", "IMG_0002.MOV", "r1.mp4")}
    index.write_text(json.dumps({"version": 1, "files": files}))
    own = absolute([f"{tmp_path}/folder/../IMG_0001.MOV"])
    who = Whom("baby1", frozenset({"r1"}), own)
    traces = find_traces(tmp_path / "results", [], who)
    assert traces.rewrite == (index,)
    forget(traces, who, tmp_path / "results")
    assert list(json.loads(index.read_text())["files"]) == [f"{tmp_path}/IMG_0002.MOV"]
    assert find_traces(tmp_path / "results", [], who).rewrite == ()


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
    hidden = tmp_path / ".snakemake"

    def record(part: str, about: str, text: str = "{}") -> Path:
        path = hidden / part / base64.b64encode(about.encode()).decode()
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    gone = [
        record("metadata", "results/pose/r1.h5"),
        record("metadata", "results/clips/baby1/01.mp4"),
        record("metadata", "results/all.tsv", json.dumps({"params": ["{'infant': 'baby1'}"]})),
        record("metadata", "results/sum.tsv", json.dumps({"input": ["results/pose/r1.h5"]})),
        record("incomplete", "results/pose/r1.h5"),
    ]
    record("metadata", "results/pose/r10.h5", json.dumps({"params": ["'baby1'"]}))
    record("metadata", "results/kept.tsv", json.dumps({"params": ["'0.1'", "{'n': 1}"]}))
    for name, text in (
        ("log/a.log", "Clean r1 now"),
        ("log/b.log", "Clean r10 now"),
        ("log/c.log", "this run: r1"),
        ("scripts/old.py", "r1"),
        ("scripts/mine.py", "r1"),
        ("slurm_logs/rule_pose/baby1/7.log", ""),
    ):
        path = hidden / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    os.utime(hidden / "log/c.log", (2e9, 2e9))
    removed = [Path("results/clips/baby1")]
    found = of_snakemake(
        hidden, Path("results"), rules(Path("results")), whom("baby1", "r1"), removed,
        [hidden / "scripts/mine.py"],
    )  # fmt: skip
    others = ("log/a.log", "scripts/old.py", "slurm_logs/rule_pose/baby1/7.log")
    assert found == sorted([*gone, *(hidden / name for name in others)])
    remove(found, {hidden})
    assert not (hidden / "slurm_logs").exists()
    (hidden / "slurm_logs/rule_x/baby1").mkdir(parents=True)
    (hidden / "slurm_logs/rule_x/baby10").mkdir(parents=True)
    assert empty_folders(hidden, {"baby1"}) == [hidden / "slurm_logs/rule_x/baby1"]


def test_names_in_the_running_log_are_written_over(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with path.open("a") as log:
        log.write("--config infant=baby1\nbaby10\n")
        log.flush()
        blacken(path, word({"baby1"}))
        log.write("done\n")
    assert path.read_text() == "--config infant=*****\nbaby10\ndone\n"


def test_local_copies_of_its_urls_go(tmp_path: Path) -> None:
    for name in ("http/h.org/a/1.mp4", "http/h.org/a/2.mp4", "s3/bucket/r1.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    urls = {"https://h.org/a/1.mp4?x=1", "https://h.org/a/2.mp4"}
    who = whom("baby1", "r1", sources={min(urls)}, protected=urls)
    found = [path.relative_to(tmp_path).as_posix() for path in fetched(tmp_path, who)]
    assert found == ["http/h.org/a/1.mp4", "s3/bucket/r1.mp4"]


COMMON = ("1", "0", "h5", "mp4", "normal", "infant", "weights", "model", "folds", "pose")


@pytest.mark.parametrize("infant", COMMON)
def test_an_id_that_is_a_common_word_costs_others_nothing(infant: str, tmp_path: Path) -> None:
    """Infant 1 is not in ``fold 1``, and h5 not in every ``pose/*.h5``."""
    results = tmp_path / "results"
    cohort(results)
    kept = {
        "folds.tsv": f"infant\tlabel\tfold\nbaby10\tnormal\t1\n{infant}\trisk\t0\n",
        "models/net/fold-1/model.json": json.dumps(
            {"training_infants": ["baby10"], "fold": 1, "version": "0.1.0", "classes": ["normal"]}
        ),
        "models/net/fold-1/history.tsv": "epoch\tloss\n0\t1\n1\t0\n",
        "network/report.json": '{"version": "0.1.0", "n": 1}',
    }
    for name, text in kept.items():
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(text)
    own = {f"pose/{infant}-a.h5", f"pose/.{infant}-a.abcd1234.h5", f"predictions/{infant}.h5"}
    for name in own:
        (results / name).write_text("x")
    made_by = {"rule": "x", "version": "0.1.0", "code": "1"}
    record([p for p in results.rglob("*") if p.is_file()], results / FOLDER, made_by)
    before = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    who = whom(infant, f"{infant}-a", common={"normal", "risk"})
    forget(find_traces(results, rules(results), who), who, results)
    after = {p.relative_to(results).as_posix() for p in results.rglob("*") if p.is_file()}
    records = {f"{FOLDER}/{name}.json" for name in own}
    assert before - after == own | records
    assert (results / "folds.tsv").read_text() == "infant\tlabel\tfold\nbaby10\tnormal\t1\n"


def test_the_users_files_stay_wherever_they_are(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cohort(results)
    own = results / "pose/r1.h5", results / "frames/r1/000000.png", results / "cohort/new.tsv"
    (results / "frames/r1/000001.png").write_text("made")
    who = whom("baby1", "r1", "r1-b", protected=set(map(str, own)))
    forget(find_traces(results, rules(results), who), who, results)
    assert all(path.exists() for path in own)
    assert not (results / "frames/r1/000001.png").exists()
    assert not (results / "pose/r1-b.h5").exists()


def test_a_stage_on_another_disk_is_looked_into(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cohort(results)
    for name in ("models", "pose"):
        (results / name).rename(tmp_path / name)
        (results / name).symlink_to(tmp_path / name)
    (tmp_path / "state" / "net").mkdir(parents=True)
    (tmp_path / "state" / "net" / "last.ckpt").write_text("weights")
    (results / "work").symlink_to(tmp_path / "state")
    (results / "mine").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_text("baby1")
    who = whom("baby1", "r1", "r1-b")
    traces = find_traces(results, rules(results), who)
    assert traces.links == (results / "mine",)
    assert "results/mine" in told(traces, [], "removed")
    forget(traces, who, results)
    left = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "models").rglob("*.json")}
    assert left == {"models/net/fold-1/model.json"}
    assert [p.name for p in (tmp_path / "pose").iterdir()] == ["r10.h5"]
    assert (tmp_path / "elsewhere" / "notes.txt").exists()
    assert (results / "pose").is_symlink()
    assert (results / "work").is_symlink()
    assert not list((tmp_path / "state").iterdir())


#: What killed jobs have left, of whomever.
LEFT = (
    ".bundle.ab12cd34/models/net/fold-1/weights.safetensors",
    "models/net/fold-1/.weights.ab12cd34.bin",
    "reading/.pages.ab12cd34/1/K7.mp4",
    "reading/.pages.ab12cd34.old/1/K7.mp4",
    "reading/pages/.A7.ab12cd34.mp4",
    "pose/.r10.ready-0123456789abcdef.h5",
    "pose/..r10.ready-0123456789abcdef.ab12cd34.h5",
    ".folds.ab12cd34.tsv",
    ".verify.ab12cd34.tsv",
    f"{FOLDER}/pose/.r10.ab12cd34.json",
    ".index/.infants.ab12cd34.json",
    "work/net/fold-1/0a1b/.last.ab12cd34.ckpt",
)
#: Of the user: hidden too, but beside nothing that a job writes.
KEPT = (
    *(".snapshot.20260101.zip", "pose/.notes.txt", "cohort/.mine.ab12cd34.tsv", ".cache/.b.x"),
    *("pose/.snakemake_timestamp", "evaluation/.mine.ab12cd34/roc.svg"),
)


@pytest.mark.parametrize("nested", [False, True])
def test_what_killed_jobs_left_goes_whosever_it_was(nested: bool, tmp_path: Path) -> None:
    """Its name hides whose it is: a code stands for an infant, weights name nobody."""
    results = tmp_path / "results"
    inner = results / "validation" if nested else results
    cohort(inner)
    (inner / "models").rename(tmp_path / "models")
    (inner / "models").symlink_to(tmp_path / "models")
    for name in (*LEFT, *KEPT):
        path = inner / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    patterns = [*rules(results), [f"{results}/bundle"], [f"{results}/bundle.zip"]]
    # Also of an infant that has nothing else.
    who = whom("baby3", "r3")
    traces = find_traces(results, patterns, who)
    assert "reading/.pages.ab12cd34.old" in told(traces, [], "removed")
    forget(traces, who, results)
    assert [name for name in LEFT if (inner / name).exists()] == []
    assert [name for name in KEPT if not (inner / name).exists()] == []
    assert (inner / "models/net/fold-1/weights.bin").exists()
    assert (inner / "pose/r10.h5").exists()
    assert (inner / "reading/pages/videos/A7.mp4").exists()


def test_what_is_half_written_just_now_is_seen(tmp_path: Path) -> None:
    results, locks = tmp_path / "results", tmp_path / "locks"
    cohort(results)
    (results / "reading/.pages.ab12cd34").mkdir()
    (results / "work/a").mkdir(parents=True)
    (results / "work/a/.last.ab12cd34.ckpt").write_text("x")
    found = find_traces(results, rules(results), whom("baby3", "r3"))
    assert found.half_written == (results / "reading/pages", results / "work")
    locks.mkdir()
    for held in ("reading/pages", "models/net/fold-1/model.json"):
        (locks / "0.output.lock").write_text(f"{results / held}\n")
        assert in_use(locks, found.half_written) == [str(results / held)]
    (locks / "0.output.lock").write_text(f"{results / 'pose/r10.h5'}\n")
    assert in_use(locks, found.half_written) == []


def test_results_folders_below_are_treated_alike(tmp_path: Path) -> None:
    results = tmp_path / "results"
    inner = results / "validation"
    cohort(inner)
    who = whom("baby1", "r1", "r1-b")
    forget(find_traces(results, rules(results), who), who, results)
    assert (inner / "folds.tsv").read_text() == "infant\tlabel\tfold\nbaby10\tnormal\t2\n"
    assert sorted(p.name for p in (inner / "pose").iterdir()) == ["r10.h5"]
    assert not (inner / "frames/r1").exists()
    assert not (inner / "models/net/fold-2").exists()
    assert (inner / "models/net/fold-1/weights.bin").exists()


def test_interrupted_trainings_that_learned_from_it_go(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cohort(results)
    state = results / "work/net/fold-1/0a1b/last.ckpt"
    state.parent.mkdir(parents=True)
    state.write_text("weights")
    # Nobody has learned from one that is in no fold and no model.
    who = whom("baby3", "r3")
    assert find_traces(results, rules(results), who).remove == ()
    who = whom("baby1", "r1", "r1-b")
    traces = find_traces(results, rules(results), who)
    assert results / "work" in traces.remove
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "0.output.lock").write_text("results/models/net/fold-1/model.json\n")
    assert len(in_use(locks, traces.remove)) == 1
    forget(traces, who, results)
    assert not (results / "work").exists()


def test_what_was_interrupted_goes_on_when_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stops, the second call knows as much as the first did."""
    unlink = Path.unlink
    for stop in range(1, 12):
        results = tmp_path / str(stop) / "results"
        cohort(results)
        (results / "cohort/new.tsv").unlink()
        everybody = {"baby1": Owned(frozenset({"r1", "r1-b"})), "baby10": Owned(frozenset({"r10"}))}
        add_infants(results / INFANTS, everybody)
        n = 0

        def broken(self: Path, missing_ok: bool = False, stop: int = stop) -> None:
            nonlocal n
            n += 1
            if n == stop:
                raise KeyboardInterrupt
            unlink(self, missing_ok)

        def erase(results: Path = results) -> None:
            own = known_of(results, "baby1", {}, [])
            who = Whom("baby1", own.recordings)
            forget(find_traces(results, rules(results), who), who, results)

        monkeypatch.setattr(Path, "unlink", broken)
        with pytest.raises(KeyboardInterrupt):
            erase()
        monkeypatch.setattr(Path, "unlink", unlink)
        erase()
        assert set(read_infants(results / INFANTS)) == {"baby10"}
        who = whom("baby1", "r1", "r1-b")
        assert find_traces(results, rules(results), who) == Traces(())
        assert not names_in(results, {"baby1", "r1", "r1-b"})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a": "r1.h5"}', True),
        ('{"a": "r1,r2"}', True),
        ('{"r1": 0}', True),
        ('{"a": "left out: r1"}', True),
        ('{"a": ["results/pose/1.h5"]}', True),
        ('{"a": "1"}', True),
        ('{"a": "r10.h5"}', False),
        ('{"version": "0.1.0", "torch": "1.0", "n": 1}', False),
    ],
)
def test_json_is_asked_by_its_texts(text: str, named: bool, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    assert asked(tmp_path / "a.json", "", whom("baby1", "r1", "1")) == named


def test_hdf5_is_asked_by_its_texts(tmp_path: Path) -> None:
    for name, ids in (("a.h5", ["r1", "r2"]), ("b.h5", ["r10", "r2"])):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("group/recording", data=ids, compression="gzip")
            file.attrs["provenance"] = '{"version": "0.1.0"}'
    assert asked(tmp_path / "a.h5", "", whom("baby1", "r1", "1"))
    assert not asked(tmp_path / "b.h5", "", whom("baby1", "r1", "1"))


def names_in(results: Path, names: set[str]) -> list[Path]:
    """Return what still has one of some names, in its path or its content."""
    pattern = word(names)
    files = [p for p in results.rglob("*") if ".cache" not in p.parts]
    return [
        p
        for p in files
        if pattern.search(str(p.relative_to(results)).encode())
        or (p.is_file() and names_it(p, pattern))
    ]


@pytest.mark.parametrize(
    ("words", "infant"),
    [
        (["forget", "--config", "infant=1"], "1"),
        (["--config", "seed=1", "infant=003", "--cores", "1"], "003"),
        (["--config", "infant=1e3"], "1e3"),
        (["-C", "infant=true"], "true"),
        (["--config=infant=007"], "007"),
        (["--config", "infant='a'"], "a"),
        (["--config", "infant="], None),
        (["infant=1"], None),
        (["--config", "seed=1", "--cores", "infant=2"], None),
    ],
)
def test_an_id_is_what_was_typed(words: list[str], infant: str | None) -> None:
    assert typed_infant(words) == infant


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (True, "true"), ("003", "003"), (None, None)]
)
def test_an_id_of_the_configuration_is_text(value: object, text: str | None) -> None:
    assert parse_config({"infant": value}).infant == text


def test_what_another_run_works_on_is_seen(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    assert in_use(locks, [Path("results/a.h5")]) == []
    locks.mkdir()
    (locks / "0.output.lock").write_text("results/a.h5\nresults/b.h5\nresults/clips/x/1.mp4\n")
    assert in_use(locks, [Path("results/a.h5")]) == ["results/a.h5"]
    assert in_use(locks, [Path("results/clips/x")]) == ["results/clips/x/1.mp4"]
    assert in_use(locks, [Path("results/c.h5")]) == []


def test_a_damaged_index_is_kept_aside_and_nobody_is_forgotten_in_part(tmp_path: Path) -> None:
    results = tmp_path / "results"
    cohort(results)
    index = results / INFANTS
    assert add_infants(index, {"baby1": Owned(frozenset({"r1", "gone"}))}) is None
    whole = index.read_text()
    # A single bit: of the structure, or of a recording's name.
    for damaged in (whole.replace("{", "[", 1), whole.replace("gone", "fone")):
        index.write_text(damaged)
        with pytest.raises(StorageError, match="not all recordings"):
            known_of(results, "baby1", {}, [])
        with pytest.raises(StorageError, match="not all recordings"):
            find_traces(results, rules(results), whom("baby1", "r1"))
        aside = add_infants(index, {"baby2": Owned(frozenset({"r2"}))})
        assert aside is not None
        assert aside.read_text() == damaged
        assert read_infants(index) == {"baby2": Owned(frozenset({"r2"}))}
    assert [path.name for path in kept_aside(index)] == [
        "infants.json.damaged",
        "infants.json.damaged+",
    ]
    for path in kept_aside(index):
        with pytest.raises(StorageError, match=rf"{re.escape(path.name)}: .* rm "):
            known_of(results, "baby1", {"baby1": Owned()}, [])
        with pytest.raises(StorageError, match="not all recordings"):
            find_traces(results, rules(results), whom("baby1", "r1"))
        path.unlink()
    assert known_of(results, "baby1", {"baby1": Owned()}, []) == Owned()


def test_an_index_that_cannot_be_read_is_not_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / INFANTS
    add_infants(index, {"baby1": Owned(frozenset({"r1"}))})

    def failing(*_: object, **__: object) -> str:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", failing)
        with pytest.raises(StorageError, match="the network behind it fails"):
            add_infants(index, {"baby2": Owned()})
    assert list(read_infants(index)) == ["baby1"]


def test_an_index_without_a_checksum_gets_one(tmp_path: Path) -> None:
    index = tmp_path / INFANTS
    index.parent.mkdir()
    own = {"recordings": ["r1"], "sources": []}
    index.write_text(json.dumps({"schema": "infants/1", "infants": {"baby1": own}}))
    assert add_infants(index, {}) is None
    assert json.loads(index.read_text())["schema"] == "infants/2"
    assert read_infants(index) == {"baby1": Owned(frozenset({"r1"}))}


def test_who_is_known_is_in_sheet_index_or_tables(tmp_path: Path) -> None:
    sheet = {"baby1": Owned(frozenset({"r1"}), frozenset({"/v/1.mp4"})), "baby2": Owned()}
    assert known_of(tmp_path, "baby1", sheet, []).recordings == {"r1"}
    with pytest.raises(ConfigError, match=r"'baby3' is neither .* Did you mean 'baby2'\?"):
        known_of(tmp_path, "baby3", sheet, [])
    # Rows that have left the sheet are remembered, and what somebody else has now is not its own.
    add_infants(tmp_path / INFANTS, sheet)
    add_infants(tmp_path / INFANTS, {"baby2": Owned(frozenset({"r2", "r3"}))})
    now = {"baby4": Owned(frozenset({"r3"}), frozenset({"/v/1.mp4"}))}
    assert known_of(tmp_path, "baby1", now, []) == Owned(frozenset({"r1"}), frozenset())
    assert known_of(tmp_path, "baby2", now, []) == Owned(frozenset({"r2"}))
    written = (tmp_path / INFANTS).stat().st_mtime_ns
    add_infants(tmp_path / INFANTS, sheet)
    assert (tmp_path / INFANTS).stat().st_mtime_ns == written
    table = tmp_path / "new.tsv"
    table.write_text("recording\tinfant\nr9\tbaby9\n")
    assert known_of(tmp_path, "baby9", now, [table]).recordings == {"r9"}


@pytest.mark.parametrize("text", [b'{"a":', b"[]", b"\xff\xfe", b'{"files": 3}', b"[" * 5000])
def test_a_damaged_index_of_sources_is_begun_anew(text: bytes, tmp_path: Path) -> None:
    """It only saves time, so nobody need know what was in it."""
    path = tmp_path / ".index" / "sources.json"
    path.parent.mkdir()
    path.write_bytes(text)
    assert json.loads(rewritten(path, whom("baby1", "r1")))["files"] == {}
    traces = find_traces(tmp_path, rules(tmp_path), whom("baby1", "r1"))
    assert path in traces.rewrite


def test_what_another_configuration_has_written_goes(tmp_path: Path) -> None:
    """The rules of today may have no lifting."""
    gone = ["pose/lifted/r1.h5", "logs/lift_pose/r1.log", "benchmarks/lift_pose/r1.tsv"]
    for name in (*gone, "logs/lift_pose/r10.log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = find_traces(tmp_path, rules(tmp_path), whom("baby1", "r1"))
    assert {path.relative_to(tmp_path).as_posix() for path in found.remove} == set(gone)


def test_tables_are_asked_by_a_column_of_ids_of_either_kind(tmp_path: Path) -> None:
    path = tmp_path / "left-out.tsv"
    path.write_text("id\tkind\treason\n003\tinfant\ttoo short\n")
    assert asked(path, "", whom("003", "r1"))
    assert not asked(path, "", whom("004", "r1"))


@pytest.mark.parametrize("name", ["deep.json", "model.json"])
def test_a_file_nested_too_deep_is_searched(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("[" * 100_000 + '"baby1"')
    assert asked(path, "", whom("baby1"))
    assert not asked(path, "", whom("baby2"))


def test_a_table_with_damaged_letters_still_tells_its_recordings(tmp_path: Path) -> None:
    path = tmp_path / "development.tsv"
    path.write_bytes(b"recording\tinfant\tnote\nr1\tbaby1\t\xff\xfe\n")
    assert recordings_in([path], "baby1") == {"r1"}
