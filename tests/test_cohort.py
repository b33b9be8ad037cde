"""The user's tables: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety import sheet
from fidgety.cohort import Study, read_study
from fidgety.config.inclusion import InclusionConfig
from fidgety.config.root import Config, parse_config
from fidgety.config.study import Role
from fidgety.errors import ConfigError, NotAssessable, Reason, Status
from fidgety.inclusion import CRITERION_TEXTS, PRESETS, criteria, inclusion_decision
from fidgety.inclusion_flow import inclusion_flow
from fidgety.phantom.plan import fm_intervals, plan_cohort
from fidgety.sheet import CHARACTERISTICS, MAX_BYTES, SHEET_COLUMNS, Recording, read_table
from fidgety.tables import LISTED_LINES, Findings, decode, first_line

COHORTS = {"ward": "development", "city": "external", "clips": "reference", "clinic": "new"}
BASIC = {"recording": "a1", "infant": "a", "cohort": "ward", "video": "a1.mp4", "label": "normal"}


def table(rows: list[dict[str, str]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["\t".join(columns)] + ["\t".join(row.get(c, "") for c in columns) for row in rows]
    return "\n".join(lines) + "\n"


class Desk:
    """A folder with a sheet, and the files that it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def touch(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())

    def config(self, **values: Any) -> Config:
        return parse_config({"sheet": "recordings.tsv", "cohorts": COHORTS, **values})

    def read(self, rows: list[dict[str, str]] | str | bytes, **values: Any) -> Study:
        data = rows if isinstance(rows, str | bytes) else table(rows)
        data = data.encode() if isinstance(data, str) else data
        (self.folder / "recordings.tsv").write_bytes(data)
        return read_study(self.config(**values), self.folder)

    def refuse(self, rows: list[dict[str, str]] | str | bytes, **values: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            self.read(rows, **values)
        return str(caught.value)

    def intervals(self, rows: list[dict[str, str]]) -> dict[str, str]:
        (self.folder / "intervals.tsv").write_text(table(rows))
        return {"intervals": "intervals.tsv"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.touch("a1.mp4", "a2.mp4", "b1.mp4", "c1.nc", "c1.csv", "c1.json")
    os.mkfifo(tmp_path / "pipe")
    desk.touch("openpose/c1_000000000000_keypoints.json", "nothing/notes.txt")
    return desk


def test_a_full_row(desk: Desk) -> None:
    row = BASIC | {
        "fm_type": "Intermittent",
        "sex": "F",
        "gestational_age_weeks": "38+5",
        "birth_weight_g": "3120",
        "corrected_age_weeks": "12.4",
        "site": "north",
        "device": "phone",
        "setting": "home",
        "crop": "10, 20, 300, 200",
        "cp": "yes",
        "cp_type": "spastic",
        "cp_side": "left",
        "gmfcs": "II",
        "hine": "54.5",
        "early_intervention": "unknown",
        "follow_up_age_months": "24",
        "notes": "she said: fine",
        "x_ward": "7b",
    }
    assert set(SHEET_COLUMNS) - set(row) == {"pose", "fps"}
    study = desk.read([row])
    got = study.recordings["a1"]
    assert got.gestational_age_weeks == pytest.approx(38 + 5 / 7, abs=1e-3)
    assert (got.sex, got.fm_type, got.gmfcs, got.cp) == ("female", "intermittent", 2, "yes")
    assert got.crop_px == (10, 20, 300, 200)
    assert got.own == {"x_ward": "7b"}
    assert got.role is Role.DEVELOPMENT
    assert study.source("a1") == Path("a1.mp4")
    # What a rule's params carry is enough to have the row back.
    assert Recording.model_validate(got.model_dump(mode="json", exclude_none=True)) == got


def test_paths_start_from_the_sheets_folder(tmp_path: Path) -> None:
    (tmp_path / "my" / "films").mkdir(parents=True)
    (tmp_path / "my" / "films" / "a.mp4").write_bytes(b"x")
    (tmp_path / "my" / "sheet.tsv").write_text(
        "recording\tinfant\tcohort\tvideo\na\ta\tclinic\tfilms/../films/a.mp4\n"
    )
    config = parse_config({"sheet": "my/sheet.tsv", "cohorts": COHORTS})
    assert read_study(config, tmp_path).source("a") == Path("my/films/a.mp4")


def test_all_findings_at_once(desk: Desk) -> None:
    message = desk.refuse(
        [
            BASIC | {"recording": "a/../b", "sex": "femle"},
            BASIC | {"recording": "ok", "label": "nromal", "birth_weight_g": "3,2"},
            BASIC | {"recording": "ok2", "video": "missing.mp4", "cohort": "wrad"},
            {"recording": "ok3", "infant": "z", "cohort": "city"},
        ]
    )
    for expected in (
        "row 2: column recording: 'a/../b': may hold letters, digits, '-' and '_' only",
        "row 2: column sex: 'femle': is not known. Did you mean 'female'?",
        "row 3: column label: 'nromal'",
        "Did you mean 'normal'?",
        "row 3: column birth_weight_g: '3,2': has a decimal comma; write 3.2.",
        "row 4: column cohort: 'wrad': has no role",
        "Did you mean 'ward'?",
        "row 5: column label: is empty; recordings of external cohorts need one of",
        "row 5: column video: is empty; give a video or a pose file.",
    ):
        assert expected in message, message
    rows = [line.split("row ")[1].split(":")[0] for line in message.splitlines()[1:]]
    assert rows == sorted(rows, key=int), "findings come in the order of the rows"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"recording": ""}, "column recording: is empty"),
        ({"recording": "säugling"}, "letters, digits"),
        ({"infant": "a b"}, "letters, digits"),
        ({"fps": "25"}, "column fps: '25': is for a pose file"),
        ({"video": "", "pose": "c1.nc", "fps": "0"}, "column fps: '0': must be above 0"),
        ({"video": "", "pose": "c1.csv"}, "column fps: is empty; tracks of this form (.csv)"),
        ({"video": "", "pose": "c1.json"}, "or name the video beside them"),
        ({"video": "", "pose": "openpose"}, "(a folder) hold no times"),
        ({"video": "", "pose": "nothing"}, "is a folder without OpenPose's files"),
        ({"pose": "gone.csv"}, "column pose: 'gone.csv': no such file"),
        ({"video": "nowhere.mp4"}, "column video: 'nowhere.mp4': no such file"),
        ({"video": "films\\a1.mp4"}, "Write '/' between folders"),
        ({"video": "s3:/bucket/a1.mp4"}, "A URL has '://'."),
        ({"video": "file:///films/a1.mp4"}, "Write the path, without 'file:'."),
        ({"video": ".."}, "is a folder"),
        ({"video": "/dev/zero"}, "is a device or a pipe"),
        ({"video": "pipe"}, "is a device or a pipe"),
        ({"video": "", "pose": "pipe"}, "is a device or a pipe"),
        ({"video": "~nobody-of-that-name/a.mp4"}, "no such file"),
        ({"corrected_age_weeks": "2024-03-05"}, "is a date"),
        ({"corrected_age_weeks": "05.03.24"}, "is a date"),
        ({"corrected_age_weeks": "twelve"}, "is not a number"),
        ({"corrected_age_weeks": "inf"}, "is not a number"),
        ({"gestational_age_weeks": "218"}, "must be at most 46:"),
        ({"birth_weight_g": "3.3"}, "in grams"),
        ({"gmfcs": "6"}, "must be at most 5"),
        ({"gmfcs": "2.5"}, "is not a whole number"),
        ({"crop": "1,2,3"}, "four whole numbers"),
        ({"crop": "1,2,0,3"}, "has no area"),
        ({"crop": f"{'9' * 5000},1,1,1"}, "four whole numbers"),
        ({"crop": "1,1,100000,1"}, "four whole numbers"),
        ({"crop": "٣,1,1,1"}, "four whole numbers"),
        ({"crop": "1,1,²,1"}, "four whole numbers"),
        ({"corrected_age_weeks": "٣٨+5"}, "is not a number"),
        ({"site": "a\x07b"}, r"column site: 'a\x07b': holds U+0007, which is no text"),
        ({"device": "\x1b[31mred"}, "holds U+001B"),
        ({"notes": "a\u202eb"}, "holds U+202E"),
        ({"label": "norm\u2066al"}, "holds U+2066"),
        ({"x_mine": "\x9d"}, "holds U+009D"),
        ({"cohort": "wa\x7frd"}, "holds U+007F"),
        ({"x_\x07": "1"}, r"row 1: 'x_\x07': holds U+0007"),
        ({"setting": "garden"}, "Known are: hospital, home"),
        ({"cp": "no", "cp_type": "ataxic"}, "contradicts cp 'no'"),
        ({"label": "Normal"}, "Did you mean 'normal'?"),
        ({"x_": "", "sexx": "female"}, "row 1: column sexx: no such column. Did you mean 'sex'?"),
        ({"role": "new"}, "row 1: column role: no such column"),
        ({"own": "new"}, "row 1: column own: no such column"),
    ],
)
def test_one_wrong_cell(desk: Desk, change: dict[str, str], expected: str) -> None:
    message = desk.refuse([BASIC | change])
    assert expected in message
    assert message.startswith("1 finding in the tables:"), message


def test_ids_are_unique_and_differ_by_more_than_case(desk: Desk) -> None:
    message = desk.refuse(
        [BASIC, BASIC | {"video": "a2.mp4"}, BASIC | {"recording": "A1", "video": "b1.mp4"}]
    )
    assert "row 3: column recording: 'a1': stands in row 2 already" in message
    assert "row 4: column recording: 'A1': differs from 'a1' in row 2 by case alone" in message
    message = desk.refuse([BASIC, BASIC | {"recording": "a2", "video": "a2.mp4", "infant": "A"}])
    assert "column infant: 'A': differs from 'a'" in message


def test_one_file_is_one_recording(desk: Desk) -> None:
    (desk.folder / "link.mp4").symlink_to("a1.mp4")
    message = desk.refuse(
        [
            BASIC,
            BASIC | {"recording": "a2", "video": "./a1.mp4"},
            BASIC | {"recording": "a3", "video": "link.mp4"},
        ]
    )
    assert "row 3: column video: './a1.mp4': is the file of row 2" in message
    assert "row 4: column video: 'link.mp4': is the file of row 2" in message


def second(**change: str) -> dict[str, str]:
    return BASIC | {"recording": "a2", "video": "a2.mp4"} | change


def test_a_label_that_is_none_tells_whose_the_classes_are(desk: Desk) -> None:
    wrong = [BASIC | {"label": "doubtful"}]
    assert "is not among `classes` in config.yaml;" in desk.refuse(wrong)
    with pytest.raises(ConfigError, match=r"the bundle's classes \(normal, risk\); leave") as error:
        read_study(desk.config(), desk.folder, bundled_classes=True)
    assert "config.yaml" not in str(error.value)


def test_one_label_and_one_role_an_infant(desk: Desk) -> None:
    assert "all recordings of an infant have one label" in desk.refuse(
        [BASIC, second(label="risk")]
    )
    for cohort in ("city", "clinic"):
        message = desk.refuse([BASIC, second(cohort=cohort)])
        assert "an infant has one role" in message
    assert "one role" in desk.refuse([BASIC | {"cohort": "city"}, second(cohort="clips", label="")])


def test_an_id_stands_for_one_infant(desk: Desk) -> None:
    """What is erased of infant ``a`` must not be the recording ``a`` of another."""
    other = {"recording": "a", "infant": "b", "video": "b1.mp4"}
    message = desk.refuse([BASIC, BASIC | other])
    assert "row 2: column infant: 'a': is the recording of infant 'b' in row 3, too" in message
    assert "is the recording of" in desk.refuse([BASIC, BASIC | other | {"recording": "A"}])
    # An infant with one recording may share its id with it.
    desk.read([BASIC | {"recording": "a"}, BASIC | other | {"recording": "b"}])
    # The label is compared with the first that is given, wherever it stands.
    message = desk.refuse(
        [BASIC | {"cohort": "clips", "label": ""}, second(), second(recording="a3", video="b1.mp4",
                                                                    label="risk")]
    )  # fmt: skip
    assert "row 4: column label: 'risk'" in message
    assert "row 3" in message


def test_reference_recordings_go_with_development(desk: Desk) -> None:
    study = desk.read([BASIC, second(cohort="clips", label="")])
    assert [r.recording for r in study.by_role(Role.REFERENCE)] == ["a2"]
    assert {r.recording for r in study.infants["a"]} == {"a1", "a2"}
    assert study.role("a2") is Role.REFERENCE


def test_labels_are_optional_for_new_and_reference(desk: Desk) -> None:
    study = desk.read([BASIC | {"cohort": "clinic", "label": ""}])
    assert study.recordings["a1"].label is None
    assert study.by_role(Role.EXTERNAL) == ()


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("latin-1"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: ("\n\n" + text + "\n\t\t\n").encode(),
        lambda text: text.replace("\t", " \t ").encode(),
        lambda text: text.replace("Münster", '"Münster"').encode(),
    ],
    ids=["bom", "utf16", "latin1", "crlf", "cr", "blank-lines", "spaces", "quotes"],
)
def test_what_spreadsheets_do_is_undone(desk: Desk, encode: Any) -> None:
    text = table([BASIC | {"site": "Münster", "sex": "NA", "hine": "-"}])
    got = desk.read(encode(text)).recordings["a1"]
    assert got.site == "Münster"
    assert got.sex is None
    assert got.hine is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"PK\x03\x04rest", "workbook"),
        (b"recording,infant,cohort\na,b,c\n", "separated by commas"),
        (b"recording;infant;cohort\na;b;c\n", "separated by semicolons"),
        (b"recording\tinfant\tvideo\n", "column cohort: is missing from the header"),
        (b"recording\tinfant\tcohort\tvideo\n", "has no row below its header"),
        (b"recording\tinfant\tcohort\trecording\n", "stands twice"),
        (b'recording\tinfant\tcohort\n"a\tb\tc\n', "quotation mark"),
        (
            b"recording\tinfant\tcohort\tvideo\na\tb\tclinic\ta1.mp4\tmore\n",
            "5 cells for 4 columns",
        ),
    ],
)
def test_files_that_are_no_such_table(desk: Desk, data: bytes, expected: str) -> None:
    assert expected in desk.refuse(data)


@pytest.mark.parametrize("where", ["pipe", "/dev/zero", "~nobody-of-that-name/sheet.tsv"])
@pytest.mark.parametrize("key", ["sheet", "intervals"])
def test_a_table_that_is_no_file_is_not_opened(desk: Desk, key: str, where: str) -> None:
    (desk.folder / "good.tsv").write_text(table([BASIC]))
    # Where the configuration is checked alone, homes of nobody are refused.
    config = desk.config(sheet="good.tsv").model_copy(update={key: where})
    with pytest.raises(ConfigError, match=r"a device or a pipe|No such file") as caught:
        read_study(config, desk.folder)
    assert where in str(caught.value)


def test_a_sheet_is_bounded(desk: Desk) -> None:
    with open(desk.folder / "recordings.tsv", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="is it the right file"):
        read_study(desk.config(), desk.folder)


def test_rows_of_a_sheet_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MAX_ROWS", 2)
    rows = [BASIC, second(), second(recording="a3")]
    assert len(desk.read(rows[:2]).recordings) == 2
    message = desk.refuse(rows)
    assert "has more than 2 rows: is it the right file?" in message
    assert message.startswith("1 finding in the tables:")


def test_a_row_without_an_end_is_refused(desk: Desk) -> None:
    """Line ends in quotes go on for as long as the file does."""
    message = desk.refuse(table([BASIC]) + '\t"\n"' * 400_000)
    assert "row 3: cannot be read (a row of more than 1000000 characters)" in message


@pytest.mark.parametrize("distinct", [False, True])
def test_findings_are_counted_right_and_do_not_fill_the_memory(distinct: bool) -> None:
    findings, n = Findings(), 100_000
    tracemalloc.start()
    for k in range(n):
        findings.add("a.tsv", k + 2, "site", f"v{k}" if distinct else "v", "is not known.")
    findings.add("b.tsv", None, "", None, "is empty.")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert len(findings) == n + 1
    told = findings.lines()
    if distinct:
        assert told[0] == "a.tsv: row 2: column site: 'v0': is not known."
        assert len(told) == LISTED_LINES + 1
        assert told[-1] == f"and {n + 1 - LISTED_LINES} more findings; correct these first."
    else:
        assert told[0].startswith("a.tsv: rows 2, 3, 4,")
        assert f" 21 and {n - 20} more: column site: 'v': is not known." in told[0]
        assert told[1:] == ["b.tsv: is empty."]
    with pytest.raises(ConfigError, match=f"^{n + 1} findings in the tables:"):
        findings.raise_if_any()


def test_a_separator_is_looked_for_in_the_first_line_alone() -> None:
    """All of a file's lines, as a list, take many times its size."""
    text = "\n \r\na;b\r\n" + "1\n" * 200_000
    tracemalloc.start()
    assert first_line(text) == "a;b\r\n"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_missing_sheet_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.tsv: cannot be read: No such file"):
        read_study(parse_config({"sheet": "nowhere.tsv"}), tmp_path)


def test_rows_are_counted_as_a_spreadsheet_does(desk: Desk) -> None:
    good, bad = table([BASIC, second(sex="femle")]).split("\na2")
    message = desk.refuse(f"\n{good}\n\na2{bad}")
    assert "row 5: column sex" in message


def test_the_same_finding_in_many_rows_is_one_line(desk: Desk) -> None:
    rows = [BASIC | {"recording": f"r{k}", "infant": f"i{k}", "cohort": "ghost"} for k in range(50)]
    findings = [line for line in desk.refuse(rows).splitlines() if "ghost" in line]
    assert len(findings) == 1
    assert "and 30 more" in findings[0]


def test_a_message_is_of_a_length_that_somebody_reads(desk: Desk) -> None:
    rows = "".join(f"r{k}\ta{k}\tward\tno{k}.mp4\tnormal\n" for k in range(20_000))
    message = desk.refuse("recording\tinfant\tcohort\tvideo\tlabel\n" + rows)
    lines = message.splitlines()
    assert lines[0] == "20000 findings in the tables:"
    assert "row 2: column video: 'no0.mp4': no such file" in lines[1]
    assert len(lines) == 1 + LISTED_LINES + 1
    assert lines[-1] == f"and {20_000 - LISTED_LINES} more findings; correct these first."
    long = desk.refuse([BASIC | {"video": "a" * 5000, "label": "b" * 50_000}])
    assert max(map(len, long.splitlines())) <= 1001


@pytest.mark.parametrize("prefix", ["x_", "y_"])
def test_a_header_of_many_columns_costs_no_time(desk: Desk, prefix: str) -> None:
    more = "\t".join(f"{prefix}{k}" for k in range(100_000))
    began = time.process_time()
    text = f"recording\tinfant\tcohort\tvideo\tlabel\t{more}\na\ta\tward\ta1.mp4\tnormal\t1\n"
    if prefix == "x_":
        assert desk.read(text).recordings["a"].own == {"x_0": "1"}
    else:
        assert "column y_0: no such column" in desk.refuse(text)
    assert time.process_time() - began < 10


def test_many_unknown_recordings_cost_no_time(desk: Desk) -> None:
    names = [f"r{k}" for k in range(5_000)]
    desk.touch(*names)
    rows = [BASIC | {"recording": name, "infant": name, "video": name} for name in names]
    own = [
        {"recording": f"{name}x", "start_s": "0", "end_s": "1", "movement": "other"}
        for name in names
    ]
    began = time.process_time()
    message = desk.refuse(rows, **desk.intervals(own))
    assert time.process_time() - began < 20
    assert "'r0x': is not in the sample sheet. Did you mean" in message


def test_line_ends_in_quotes_are_text(desk: Desk) -> None:
    own = desk.read([BASIC | {"notes": '"two\nlines"', "site": "Köln\u200d\N{BABY}"}])
    assert own.recordings[BASIC["recording"]].notes == "two\nlines"


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_content_is_a_crash(tmp_path: Path, data: bytes) -> None:
    findings = Findings()
    (tmp_path / "t").write_bytes(data)
    read = read_table(tmp_path / "t", "t", SHEET_COLUMNS, ("recording",), findings)
    assert read is not None or findings
    assert isinstance(decode(data), str)


@given(
    st.lists(
        st.fixed_dictionaries(
            {c: st.text(max_size=8) for c in ("recording", "infant", "cohort", "label", "sex",
                                              "crop", "gmfcs", "corrected_age_weeks")}
        ),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_no_cell_is_a_crash(rows: list[dict[str, str]]) -> None:
    from fidgety.cohort import _read_rows
    from fidgety.sheet import Table

    findings = Findings()
    config = parse_config({"cohorts": COHORTS})
    found = _read_rows(Table("t", list(enumerate(rows, 2))), config, findings)
    assert len(found) <= len(rows)
    assert findings, "without a file no row is right"
    assert all("row" in line for line in findings.lines())


# ---- intervals ----


def interval(start: str = "1", end: str = "2", **change: str) -> dict[str, str]:
    row = {"recording": "a1", "start_s": start, "end_s": end, "movement": "fidgety"}
    return row | {"rater": "consensus"} | change


def test_intervals_keep_raters_apart(desk: Desk) -> None:
    values = desk.intervals(
        [interval("5", "9"), interval("1", "5"), interval("2", "8", rater="anna"),
         interval("3", "4", movement="other")]
    )  # fmt: skip
    study = desk.read([BASIC], **values)
    got = [(i.rater, i.start_s, i.end_s, i.movement) for i in study.intervals_of("a1")]
    assert got == [
        ("anna", 2, 8, "fidgety"),
        ("consensus", 1, 5, "fidgety"),
        ("consensus", 3, 4, "other"),
        ("consensus", 5, 9, "fidgety"),
    ]
    assert study.intervals_of("nobody") == ()


def test_interval_findings_come_with_those_of_the_sheet(desk: Desk) -> None:
    values = desk.intervals(
        [
            interval(recording="a11"),
            interval("4", "4"),
            interval("10", "20"),
            interval("12", "14"),
            interval("19", "22"),
            interval("0:30", "0:40"),
            interval(movement="fidgty"),
            interval("-1", "3"),
        ]
    )
    message = desk.refuse([BASIC | {"sex": "x"}], **values)
    for expected in (
        "recordings.tsv: row 2: column sex",
        "intervals.tsv: row 2: column recording: 'a11': is not in the sample sheet. "
        "Did you mean 'a1'?",
        "intervals.tsv: row 3: column end_s: '4': is not after start_s (4)",
        "intervals.tsv: row 5: column start_s: '12': lies in the fidgety interval",
        "intervals.tsv: row 6: column start_s: '19': lies in the fidgety interval of consensus in "
        "row 4",
        "intervals.tsv: row 7: column start_s: '0:30': is a clock time; write seconds.",
        "intervals.tsv: row 8: column movement: 'fidgty': is not known. Did you mean 'fidgety'?",
        "intervals.tsv: row 9: column start_s: '-1': must be at least 0",
    ):
        assert expected in message, message


def test_a_wrong_row_of_the_sheet_does_not_orphan_its_intervals(desk: Desk) -> None:
    message = desk.refuse([BASIC | {"sex": "x"}], **desk.intervals([interval()]))
    assert "intervals.tsv" not in message


# ---- phantoms ----


def phantoms(preset: str = "tiny") -> dict[str, Any]:
    specs = plan_cohort(preset, 1)
    return {
        "extra_rows": [s.row() for s in specs],
        "extra_intervals": [
            {"recording": s.recording, "start_s": a, "end_s": b, "movement": m}
            for s in specs
            for a, b, m in fm_intervals(s)
        ],
        "extra_cohorts": {s.cohort: Role(s.role) for s in specs},
    }


def test_phantoms_alone(tmp_path: Path) -> None:
    study = read_study(parse_config({}), tmp_path, **phantoms())
    assert {r.role for r in study.recordings.values()} == {
        Role.DEVELOPMENT, Role.EXTERNAL, Role.REFERENCE
    }  # fmt: skip
    assert all(study.intervals_of(name) for name in study.recordings)
    name = next(iter(study.recordings))
    with pytest.raises(KeyError, match="no source file"):
        study.source(name)


def test_names_of_phantoms_are_taken(desk: Desk) -> None:
    extra = phantoms()
    name = extra["extra_rows"][0]["recording"]
    (desk.folder / "recordings.tsv").write_text(table([BASIC | {"recording": name.upper()}]))
    config = desk.config(cohorts=COHORTS | {"phantom-external": "new"})
    with pytest.raises(ConfigError) as caught:
        read_study(config, desk.folder, **extra)
    assert "is the name of a phantom" in str(caught.value)
    assert "cohorts.phantom-external: is a phantom cohort's name" in str(caught.value)


def test_no_recording_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no recording"):
        read_study(parse_config({"phantom": {"preset": "none"}}), tmp_path)


# ---- inclusion ----


def recording(**change: Any) -> Recording:
    values = {
        "recording": "a", "infant": "a", "cohort": "c", "video": "a.mp4", "role": "development",
        "sex": "female", "gestational_age_weeks": 39, "birth_weight_g": 3000,
        "corrected_age_weeks": 12, "fm_type": "continuous",
    }  # fmt: skip
    return Recording.model_validate({k: v for k, v in (values | change).items() if v is not None})


@pytest.mark.parametrize(
    ("preset", "change", "duration_s", "criterion"),
    [
        ("gao2023", {}, 60.0, ""),
        ("gao2023", {}, None, ""),
        ("gao2023", {}, 59.9, "min_duration_s"),
        ("gao2023", {"corrected_age_weeks": 9}, 60.0, ""),
        ("gao2023", {"corrected_age_weeks": 20}, 60.0, ""),
        ("gao2023", {"corrected_age_weeks": 8.9}, 60.0, "corrected_age_weeks"),
        ("gao2023", {"corrected_age_weeks": 20.1}, 60.0, "corrected_age_weeks"),
        ("gao2023", {"birth_weight_g": None}, 60.0, "require"),
        ("gao2023", {"birth_weight_g": None, "role": "reference"}, 60.0, ""),
        ("gao2023", {"corrected_age_weeks": 8, "role": "reference"}, 60.0, "corrected_age_weeks"),
        ("gao2023", {"fm_type": "abnormal"}, 60.0, "exclude_fm_types"),
        ("gao2023", {"fm_type": None}, 60.0, ""),
        ("kaur2025", {"fm_type": "abnormal", "sex": None}, 37.0, ""),
        ("kaur2025", {"corrected_age_weeks": 21}, 37.0, "corrected_age_weeks"),
        ("kaur2025", {"corrected_age_weeks": None}, 37.0, ""),
        ("hashimoto2022", {"corrected_age_weeks": 2}, 60.0, ""),
        ("hashimoto2022", {}, 50.0, "min_duration_s"),
        ("none", {"corrected_age_weeks": 90, "sex": None}, 0.1, ""),
    ],
)
def test_presets(preset: str, change: dict[str, Any], duration_s: float, criterion: str) -> None:
    decision = inclusion_decision(
        recording(**change), InclusionConfig(preset=preset), duration_s  # type: ignore[arg-type]
    )  # fmt: skip
    assert decision.criterion == criterion
    assert decision.outcome.ok == (not criterion)
    if criterion:
        assert decision.outcome.reason is Reason.EXCLUDED
        assert decision.detail
        assert criterion in CRITERION_TEXTS


def test_given_keys_win_over_the_preset() -> None:
    inclusion = InclusionConfig(preset="gao2023", min_duration_s=10.0, require=())
    assert inclusion_decision(recording(sex=None), inclusion, 12.0).included
    assert criteria(inclusion).corrected_age_weeks == (9.0, 20.0)
    assert set(PRESETS) == {"none", "gao2023", "kaur2025", "hashimoto2022"}


def test_unknown_required_column_is_named(desk: Desk) -> None:
    message = desk.refuse([BASIC], inclusion={"require": ["birthweight_g"]})
    assert "inclusion.require: 'birthweight_g'" in message
    assert "Did you mean 'birth_weight_g'?" in message


def test_study_knows_who_is_in(desk: Desk) -> None:
    study = desk.read(
        [BASIC | {"corrected_age_weeks": "5"}, second(corrected_age_weeks="10")],
        inclusion={"preset": "kaur2025"},
    )
    assert not study.is_included("a1")
    assert study.is_included("a2")
    assert "outside 9 to 20" in study.decision("a1").detail


def test_flow_adds_up() -> None:
    rows = [
        # infant, label, status, reason, criterion
        ("a", "normal", "ok", "", ""),
        ("a", "normal", "not assessable", "no_body", ""),
        ("b", "risk", "not assessable", "excluded", "require"),
        ("c", "risk", "not assessable", "excluded", "require"),
        ("c", "risk", "not assessable", "excluded", "min_duration_s"),
        ("d", "risk", "not assessable", "no_body", ""),
        ("d", "risk", "not assessable", "excluded", "min_duration_s"),
        ("e", "", "ok", "", ""),
    ]
    frame = pd.DataFrame(rows, columns=["infant", "label", "status", "reason", "criterion"])
    registered, excluded, included, failed, assessed = inclusion_flow(frame)
    assert (registered.recordings, registered.infants) == (8, 5)
    assert (excluded.recordings, excluded.infants) == (4, 2)
    assert excluded.reasons == {
        CRITERION_TEXTS["min_duration_s"]: (2, 1),
        CRITERION_TEXTS["require"]: (2, 2),
    }
    assert (included.recordings, included.infants) == (4, 3)
    assert (failed.recordings, failed.infants, failed.reasons) == (2, 1, {"no_body": (2, 1)})
    assert (assessed.recordings, assessed.infants) == (2, 2)
    assert assessed.labels == {"normal": 1}
    assert registered.labels == {"normal": 1, "risk": 3}
    assert assessed.to_dict()["name"] == "assessed"


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.sampled_from(["normal", "risk", ""]),
            st.sampled_from(["", "excluded", "no_body", "pose_empty"]),
        ),
        max_size=30,
    )
)
def test_flow_always_adds_up(rows: list[tuple[str, str, str]]) -> None:
    frame = pd.DataFrame(
        [
            {
                "infant": i, "label": label, "reason": r,
                "status": (Status.NOT_ASSESSABLE if r else Status.OK).value,
            }
            for i, label, r in rows
        ],
        columns=["infant", "label", "status", "reason"],
    )  # fmt: skip
    registered, excluded, included, failed, assessed = inclusion_flow(frame)
    for what in ("recordings", "infants"):
        assert getattr(registered, what) == getattr(excluded, what) + getattr(included, what)
        assert getattr(included, what) == getattr(failed, what) + getattr(assessed, what)
    assert sum(n for n, _ in excluded.reasons.values()) == excluded.recordings


# ---- size ----


@pytest.mark.slow
def test_ten_thousand_rows(tmp_path: Path) -> None:
    rows = []
    for k in range(10_000):
        (tmp_path / f"v{k}.mp4").touch()
        rows.append(BASIC | {"recording": f"r{k}", "infant": f"i{k // 2}", "video": f"v{k}.mp4",
                             "corrected_age_weeks": "12.5", "sex": "female"})  # fmt: skip
    (tmp_path / "recordings.tsv").write_text(table(rows))
    config = parse_config({"sheet": "recordings.tsv", "cohorts": COHORTS})
    started = time.process_time()
    study = read_study(config, tmp_path)
    print(f"10,000 rows: {time.process_time() - started:.2f} s")
    assert len(study.recordings) == 10_000
    assert len(study.infants) == 5_000
    assert set(CHARACTERISTICS) <= set(SHEET_COLUMNS)


def test_not_assessable_is_the_recorded_form() -> None:
    decision = inclusion_decision(recording(sex=None), InclusionConfig(preset="gao2023"))
    with pytest.raises(NotAssessable) as caught:
        decision.outcome.raise_if_not_ok()
    assert caught.value.reason is Reason.EXCLUDED
    assert "sex" in caught.value.detail
