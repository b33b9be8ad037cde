"""Every result file is what was written, or it is named: checksums, formats, what is missing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety import checksums
from fidgety.checksums import CHECKSUMS_VARIABLE, Stamp, read_record, record, record_of, renew
from fidgety.errors import NotAssessable, Reason, StorageError
from fidgety.files import write_json, write_text
from fidgety.infants_index import INFANTS, Owned, add_infants
from fidgety.status import Known, Planned
from fidgety.storage import Provenance, write_dataset, write_not_assessable
from fidgety.verify import (
    Remedies,
    Verified,
    as_table,
    missing_files,
    unrecorded_outputs,
    verified_lines,
    verify_files,
)
from workflow_scripts.stage import Job, run

MADE_BY = {"rule": "some_rule", "version": "1", "code": "abc"}


def outputs(results: Path) -> list[str]:
    """Return what rules write, with their wildcards."""
    return [
        *(f"{results}/pose/clean/{{recording}}.h5", f"{results}/video/{{recording}}.mp4"),
        *(f"{results}/evaluation/{name}" for name in ("metrics.tsv", "roc.svg", "summary.json")),
        *(f"{results}/report/index.html", f"{results}/bundle.zip", f"{results}/folds.tsv"),
        *(f"{results}/report/clips/{{infant,[a-z0-9]+}}", f"{results}/bundle"),
    ]


def remedies(results: Path) -> Remedies:
    return Remedies(["snakemake", "--cores", "2"], outputs(results))


def write_results(results: Path) -> list[Path]:
    """Write one result of every kind, with its record; return the files."""
    made_by = Provenance(recording="r1", parameters={"x": 1}, code="abc")
    pose = xr.Dataset({"position": (("n",), np.random.default_rng(0).random(50))})
    write_dataset(results / "pose/clean/r1.h5", pose, schema="pose/1", provenance=made_by)
    none = NotAssessable(Reason.NO_BODY, "0 of 50 frames")
    write_not_assessable(
        results / "pose/clean/r2.h5", none, schema="pose/1", provenance=Provenance(code="abc")
    )
    write_text(results / "evaluation/metrics.tsv", "model\tauc\ncnn1d\t0.5\n")
    write_text(results / "evaluation/roc.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>\n')
    write_json(results / "evaluation/summary.json", {"auc": 0.5})
    write_text(results / "report/index.html", "<!doctype html><html><p>x</p></html>\n")
    write_text(results / "folds.tsv", "infant\tlabel\tfold\na\trisk\t1\nb\tnormal\t2\n")
    write_text(results / "video/r2.mp4", "")
    for name in ("01.txt", "deep/02.txt"):
        write_text(results / "report/clips/a" / name, f"a clip, {name}")
    with zipfile.ZipFile(results / "bundle.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    files = sorted(p for p in results.rglob("*") if p.is_file())
    record_all(results)
    return files


def record_all(results: Path) -> None:
    wanted = [p for p in results.rglob("*") if p.is_file() and "clips" not in p.parts]
    record([*wanted, results / "report/clips/a"], results / checksums.FOLDER, MADE_BY)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    results = tmp_path_factory.mktemp("verify") / "results"
    return results, write_results(results)


def findings(results: Path) -> Mapping[str, str]:
    found = verify_files(results, remedies(results))
    return {str(Path(one.file).relative_to(results)): one.finding for one in found.findings}


def test_whole_results_have_no_finding(written: tuple[Path, list[Path]]) -> None:
    results, files = written
    found = verify_files(results, remedies(results))
    assert found == Verified(n_files=len(files), recorded=found.recorded)
    assert str(results / "report/clips/a") in found.recorded
    assert verified_lines(found, 0, "t.tsv") == [
        f"Nothing is wrong: {len(files)} files were looked at."
    ]


@settings(max_examples=100)
@given(data=st.data())
def test_any_flipped_bit_is_found_and_its_file_named(
    written: tuple[Path, list[Path]], data: st.DataObject
) -> None:
    results, files = written
    path = data.draw(st.sampled_from([p for p in files if p.stat().st_size]))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(content)
    damaged[at] ^= 1 << bit
    path.write_bytes(damaged)
    try:
        found = verify_files(results, remedies(results)).findings
    finally:
        path.write_bytes(content)
    assert [one.file for one in found] == [str(path)]
    assert "checksum differs" in found[0].finding
    assert "rm " in found[0].what_to_do


@settings(max_examples=50)
@given(data=st.data())
def test_a_damaged_record_is_found_too(
    written: tuple[Path, list[Path]], data: st.DataObject
) -> None:
    """It is the record that is told as damaged, never the file."""
    results, _ = written
    records = sorted((results / checksums.FOLDER).rglob("*.json"))
    path = data.draw(st.sampled_from(records))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 2))
    damaged = bytearray(content)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    try:
        found = verify_files(results, remedies(results)).findings
    finally:
        path.write_bytes(content)
    output = str(results / path.relative_to(results / checksums.FOLDER)).removesuffix(".json")
    assert [one.file for one in found] == [output]
    assert found[0].finding.startswith("the record of its checksum is damaged: ")
    assert f"Delete the record: rm {path};" in found[0].what_to_do


def unsealed(path: Path) -> dict[str, object]:
    """Turn a record into one of an earlier version, and return it."""
    content: dict[str, object] = json.loads(path.read_text())
    content["schema"] = checksums.EARLIER
    del content["sha256"]
    write_json(path, content)
    return content


@pytest.mark.parametrize("name", ["/1.txt", "../1.txt", "deep/../../x", "\0"])
def test_a_record_that_leads_out_of_its_output_is_damaged(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    path = results / checksums.FOLDER / "report/clips/a.json"
    content = unsealed(path)
    assert findings(results) == {}
    content["files"] = {name: [1, "0" * 64]}
    write_json(path, content)
    assert set(findings(results)) == {"report/clips/a"}
    assert "leads out of the output" in findings(results)["report/clips/a"]


def test_a_damaged_record_never_costs_healthy_folds(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    folds, record_of_it = results / "folds.tsv", results / checksums.FOLDER / "folds.tsv.json"
    checksum = Stamp.of(folds).sha256
    other = f"{'1' if checksum[0] == '0' else '0'}{checksum[1:]}"
    whole = record_of_it.read_text()
    record_of_it.write_text(whole.replace(checksum, other))
    (found,) = verify_files(results, remedies(results)).findings
    assert "the record of its checksum is damaged" in found.finding
    assert found.what_to_do == (
        f"Delete the record: rm {record_of_it}; then nothing tells whether the file is what was "
        "written. Compare it with a copy if you have one. If it is right, have it written again, "
        f"in which all infants keep their folds: snakemake {folds} --cores 2 --force"
    )
    # A record of an earlier version may be to blame as well.
    content = unsealed(record_of_it)
    (found,) = verify_files(results, remedies(results)).findings
    assert "differs; or the record of its checksum is damaged" in found.finding
    record_of_it.unlink()
    planned = [Planned(str(results / name), "r", "") for name in ("folds.tsv", "bundle.zip")]
    (found,) = unrecorded_outputs(
        planned, verify_files(results, remedies(results)), remedies(results)
    )
    assert found.file == str(folds)
    assert "rm " not in found.what_to_do
    assert content["schema"] == "checksum/1"


def test_a_file_that_was_put_into_an_output_is_told_as_such(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    mine = results / "report/clips/a/deep/mine.txt"
    mine.write_text("notes")
    found = verify_files(results, remedies(results))
    assert found.unrecorded == []
    (one,) = found.findings
    assert one.file == str(mine)
    assert "none of the files that the job of" in one.finding
    assert one.what_to_do == f"Move it elsewhere if it is yours; else delete it: rm {mine}"
    # Outside of any output it is as it was: unknown.
    mine.rename(results / "evaluation/mine.txt")
    assert verify_files(results, remedies(results)).unrecorded == [
        str(results / "evaluation/mine.txt")
    ]


def test_a_damaged_index_of_infants_is_found(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    add_infants(results / INFANTS, {"a": Owned(frozenset({"r1"}))})
    assert findings(results) == {}
    whole = (results / INFANTS).read_bytes()
    for at in range(0, len(whole) - 1, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        (results / INFANTS).write_bytes(damaged)
        (found,) = verify_files(results, remedies(results)).findings
        assert found.file == str(results / INFANTS), damaged
        assert "is damaged" in found.finding
        assert "Put a copy of it back" in found.what_to_do
    aside = add_infants(results / INFANTS, {"a": Owned()})
    assert aside is not None
    (found,) = verify_files(results, remedies(results)).findings
    assert found.file == str(aside)
    assert f"delete it: rm {aside}" in found.what_to_do


@settings(max_examples=25)
@given(cut=st.integers(0, 10**6), grown=st.binary(min_size=1, max_size=3))
def test_a_file_cut_off_or_grown_is_found(
    written: tuple[Path, list[Path]], cut: int, grown: bytes
) -> None:
    results, files = written
    path = files[cut % len(files)]
    content = path.read_bytes()
    for wrong in (content[: cut % max(len(content), 1)], content + grown):
        path.write_bytes(wrong)
        try:
            found = findings(results)
        finally:
            path.write_bytes(content)
        if wrong != content:
            assert list(found) == [str(path.relative_to(results))]
            assert "bytes" in found[str(path.relative_to(results))]


DAMAGE = {
    "pose/clean/r1.h5": b"no HDF5",
    "evaluation/metrics.tsv": b"a\tb\n1\n",
    "evaluation/roc.svg": b"<svg>",
    "evaluation/summary.json": b"{",
    "report/index.html": b"<html><p>cut o",
    "bundle.zip": b"no archive",
    "video/r2.mp4": b"no video",
    "report/clips/a/01.txt": b"\xff\xfe\xfd",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_without_a_checksum_a_file_must_open(name: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    files = write_results(results)
    for path in (results / checksums.FOLDER).rglob("*.json"):
        path.unlink()
    found = verify_files(results, remedies(results))
    assert found.findings == []
    assert len(found.unrecorded) == len(files)
    assert f"{len(files)} files have no checksum" in "\n".join(verified_lines(found, 0, "t"))
    (results / name).write_bytes(DAMAGE[name])
    found = verify_files(results, remedies(results))
    assert [one.file for one in found.findings] == [str(results / name)]
    assert f"does not open as {Path(name).suffix}" in found.findings[0].finding


def test_a_file_without_provenance_is_found(tmp_path: Path) -> None:
    results = tmp_path / "results"
    path = results / "pose/clean/r1.h5"
    write_results(results)
    xr.Dataset({"a": (("n",), np.zeros(3))}).to_netcdf(path, engine="h5netcdf")
    record([path], results / checksums.FOLDER, MADE_BY)
    assert "no status attribute" in findings(results)["pose/clean/r1.h5"]
    # The same file for another program is as it should be.
    foreign = results / "export/r1/pose.h5"
    foreign.parent.mkdir(parents=True)
    path.rename(foreign)
    checksums.drop(checksums.records_below(path, results / checksums.FOLDER))
    record([foreign.parent], results / checksums.FOLDER, MADE_BY)
    assert findings(results) == {}


def test_what_to_do_names_the_target_and_keeps_the_options(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    for name in ("report/clips/a/deep/02.txt", "evaluation/roc.svg", "folds.tsv"):
        (results / name).write_text("wrong")
    (results / "report/clips/a/01.txt").unlink()
    found = verify_files(results, remedies(results)).findings
    said = {str(Path(one.file).relative_to(results)): one.what_to_do for one in found}
    clips, roc = results / "report/clips/a", results / "evaluation/roc.svg"
    again = f"Delete it and run again: rm -r {clips} && snakemake {clips} --cores 2"
    assert said["report/clips/a/deep/02.txt"] == said["report/clips/a/01.txt"] == again
    assert said["evaluation/roc.svg"].endswith(f"rm {roc} && snakemake {roc} --cores 2")
    assert said["folds.tsv"].startswith("Put a copy of it back")
    assert list(as_table(found).columns) == ["file", "finding", "what_to_do"]


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    write_results(results)
    path = results / "evaluation/roc.svg"

    def refused(_: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("fidgety.verify._differs", lambda path, stamp: "")
    monkeypatch.setitem(__import__("fidgety.verify").verify.FORMATS, ".svg", refused)
    (found,) = verify_files(results, remedies(results)).findings
    assert found.finding.startswith("cannot be read: the right to read or write is missing")
    assert found.what_to_do == "Correct the rights, and run the same command again."


def test_a_missing_stage_names_the_infant(tmp_path: Path) -> None:
    there = tmp_path / "x.h5"
    there.write_text("")
    planned = [
        Planned(str(there), "clean_pose", ""),
        Planned(f"{tmp_path}/pose/clean/r1.h5", "clean_pose", "missing"),
        Planned(f"{tmp_path}/predictions/a.h5", "predict_infant", "missing"),
        Planned(f"{tmp_path}/evaluation/roc.svg", "evaluate", "missing"),
    ]
    found = missing_files(planned, {"a": Known("new", ("r1",))}, remedies(tmp_path))
    assert [one.finding for one in found] == [
        "is missing: neither result nor reason of infant a, stage cleaning",
        "is missing: neither result nor reason of infant a, stage assessment",
        "is missing",
    ]


def test_a_result_without_its_record_is_found_where_others_have_one(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    planned = [
        Planned(str(results / name), "some_rule", "")
        for name in ("evaluation/roc.svg", "report/index.html", "report/clips/a", "folds.tsv")
    ]

    def lonely() -> dict[str, str]:
        found = verify_files(results, remedies(results))
        assert found.findings == []
        told = unrecorded_outputs(planned, found, remedies(results))
        assert all("has no record of its checksum" in one.finding for one in told)
        assert not set(found.unrecorded) & {one.file for one in told}
        return {str(Path(one.file).relative_to(results)): one.what_to_do for one in told}

    assert lonely() == {}
    for name in ("report/index.html", "report/clips/a"):
        (results / checksums.FOLDER / f"{name}.json").unlink()
    page = results / "report/index.html"
    page.write_text(page.read_text().replace("x", "y"))
    said = lonely()
    assert set(said) == {"report/index.html", "report/clips/a"}
    assert said["report/index.html"].startswith("Make it anew. Delete it and run again: rm ")
    assert "rm -r " in said["report/clips/a"]
    # What is no part of the plan has no others to be compared with.
    (results / checksums.FOLDER / "evaluation/metrics.tsv.json").unlink()
    assert set(lonely()) == set(said)
    # Results from before there were records are told, and are no finding.
    for path in (results / checksums.FOLDER).rglob("*.json"):
        path.unlink()
    assert lonely() == {}


def test_a_record_without_its_result_is_found(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    write_text(results / "frames/r1/0.txt", "a")
    record([results / "frames/r1"], results / checksums.FOLDER, MADE_BY)
    for name in ("evaluation/roc.svg", "frames/r1/0.txt"):
        (results / name).unlink()
    (results / "frames/r1").rmdir()
    found = verify_files(results, remedies(results)).findings
    assert {str(Path(one.file).relative_to(results)) for one in found} == {
        *("evaluation/roc.svg", "frames/r1"),
    }
    assert all(one.finding == "is missing, and was recorded" for one in found)
    roc, folder = results / "evaluation/roc.svg", results / checksums.FOLDER
    assert found[0].what_to_do == (
        f"Run again: snakemake {roc} --cores 2; or, if you have removed it, delete its record: "
        f"rm {folder}/evaluation/roc.svg.json"
    )
    assert found[1].what_to_do.startswith("Make it again as it was made; or, if you have")
    of_temporary = Remedies(["snakemake"], outputs(results), [str(roc), str(results / "frames/r1")])
    assert verify_files(results, of_temporary).findings == []


def test_records_are_of_outputs_below_the_results(tmp_path: Path) -> None:
    folder = tmp_path / "results" / checksums.FOLDER
    assert record_of(tmp_path / "elsewhere.h5", folder) is None
    assert record_of(tmp_path / "results", folder) is None
    assert record_of(tmp_path / "results/bundle", folder) == folder / "bundle.json"
    assert record_of(tmp_path / "results/bundle.zip", folder) == folder / "bundle.zip.json"
    record([tmp_path / "results/none.h5"], folder, MADE_BY)
    assert not folder.exists()


def test_records_go_and_are_renewed(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_results(results)
    folder = results / checksums.FOLDER
    write_text(results / "folds.tsv", "infant\tlabel\tfold\n")
    assert set(findings(results)) == {"folds.tsv"}
    renew(results / "folds.tsv", folder)
    assert findings(results) == {}
    assert read_record(folder / "folds.tsv.json").made_by == MADE_BY
    renew(results / "nobody.tsv", folder)
    checksums.drop(checksums.records_below(results / "report/clips/a", folder))
    assert not (folder / "report/clips").exists()
    assert (folder / "report/index.html.json").is_file()


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "checksum/1"}', '{"schema": "x"}'])
def test_a_record_of_another_kind_is_a_message(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(StorageError):
        read_record(tmp_path / "a.json")


def a_run(main: object, *, output: dict[str, str], **params: object) -> None:
    """Run a script's main as Snakemake does."""
    run(
        main,  # type: ignore[arg-type]
        SimpleNamespace(
            rule="some_rule", input={}, output=output, params=params, wildcards={}, threads=1,
            resources={}, log=[],
        ),
        not_assessable={"pose": "pose/1"},
    )  # fmt: skip


def test_a_stage_records_result_and_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results"
    folder = results / checksums.FOLDER
    monkeypatch.setenv(CHECKSUMS_VARIABLE, str(folder))
    monkeypatch.chdir(tmp_path)

    def with_result(job: Job) -> None:
        write_text(job.output["pose"], "a")
        write_text("results/frames/r1/0.txt", "b")
        job.beside.append(Path("results/frames/r1"))

    def without(job: Job) -> None:
        raise NotAssessable(Reason.NO_BODY, "")

    a_run(with_result, output={"pose": "results/pose/r1.h5"}, code="abc")
    assert read_record(folder / "pose/r1.h5.json").made_by["code"] == "abc"
    assert list(read_record(folder / "frames/r1.json").files) == ["0.txt"]
    a_run(without, output={"pose": "results/pose/r2.h5"})
    assert set(read_record(folder / "pose/r2.h5.json").files) == {""}
    same = (folder / "pose/r2.h5.json").read_bytes()
    a_run(without, output={"pose": "results/pose/r2.h5"})
    assert (folder / "pose/r2.h5.json").read_bytes() == same
    monkeypatch.delenv(CHECKSUMS_VARIABLE)
    a_run(without, output={"pose": "results/pose/r3.h5"})
    assert not (folder / "pose/r3.h5.json").exists()


def test_jobs_that_run_at_once_record_all_of_theirs(tmp_path: Path) -> None:
    def job(k: int) -> None:
        path = tmp_path / "pose" / f"r{k}.h5"
        write_text(path, str(k))
        record([path], tmp_path / checksums.FOLDER, MADE_BY)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, range(40)))
    records = [path for path in (tmp_path / checksums.FOLDER).rglob("*") if path.is_file()]
    assert len(records) == 40
    assert all(read_record(path).made_by == MADE_BY for path in records)


def test_an_empty_folder_is_not_the_file_in_whose_place_it_stands(tmp_path: Path) -> None:
    (tmp_path / "features" / "r1.h5").mkdir(parents=True)
    (tmp_path / "export" / "r1").mkdir(parents=True)
    planned = [
        Planned(str(tmp_path / "features" / "r1.h5"), "build_features", ""),
        Planned(str(tmp_path / "export" / "r1"), "export_track", ""),
    ]
    found = missing_files(planned, {"a": Known("new", ("r1",))}, remedies(tmp_path))
    assert [one.file for one in found] == [planned[0].file]
