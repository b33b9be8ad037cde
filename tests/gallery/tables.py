"""Sample sheets as spreadsheets, and people, write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.gallery.kinds import REFUSED, SHEET, Kind

HEAD = "recording\tinfant\tcohort\tvideo\tlabel\tcorrected_age_weeks\n"
GOOD = HEAD + "a1\ta\tward\ta.mp4\tnormal\t12.5\n"
BEYOND = "recording\tstart_s\tend_s\tmovement\n"


def sheet(
    text: str | bytes, intervals: str = "", names: tuple[str, ...] = ()
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name in ("a.mp4", "b.mp4", *names):
            (folder / name).write_bytes(name.encode())
        data = text.encode() if isinstance(text, str) else text
        (folder / SHEET).write_bytes(data)
        if intervals:
            (folder / "intervals.tsv").write_text(BEYOND + intervals)
        return folder / SHEET

    return make


def with_(old: str, new: str) -> Callable[[Path], Path]:
    assert old in GOOD
    return sheet(GOOD.replace(old, new))


def refused(name: str, make: Callable[[Path], Path], says: str) -> Kind:
    return Kind("table", name, make, REFUSED, says)


def many_intervals(n: int) -> str:
    return "".join(f"a1\t{k}\t{k + 1}\tfidgety\n" for k in range(n))


def many_rows(n: int) -> Callable[[Path], Path]:
    text = HEAD + "".join(f"r{k}\ti{k}\tward\tr{k}.mp4\tnormal\t{9 + k % 8}\n" for k in range(n))
    return sheet(text, names=tuple(f"r{k}.mp4" for k in range(n)))


def piped() -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        os.mkfifo(folder / "pipe.mp4")
        return with_("a.mp4", "pipe.mp4")(folder)

    return make


def wide(prefix: str, n: int) -> str:
    head, row = GOOD.splitlines()
    return "\t".join([head, *(f"{prefix}{k}" for k in range(n))]) + f"\n{row}\n"


def cropped(side: str) -> str:
    head, row = GOOD.splitlines()
    return f"{head}\tcrop\n{row}\t{side},0,1,1\n"


KINDS = [
    Kind("table", "100,000 rows", many_rows(100_000), slow=True),
    Kind("table", "100,000 intervals", sheet(GOOD, many_intervals(100_000)), slow=True),
    # How long a video is, nobody knows when the tables are read.
    Kind("table", "intervals outside the video", sheet(GOOD, "a1\t1e6\t2e6\tfidgety\n")),
    Kind("table", "byte order mark", sheet(b"\xef\xbb\xbf" + GOOD.encode())),
    Kind("table", "Windows line ends", sheet(GOOD.replace("\n", "\r\n"))),
    Kind("table", "UTF-16", sheet(GOOD.encode("utf-16"))),
    Kind(
        "table",
        "Latin-1",
        sheet(
            GOOD.replace("12.5", "12.5\tK\xf6ln")
            .replace("weeks\n", "weeks\tsite\n")
            .encode("latin-1")
        ),
    ),
    refused("empty table", sheet(""), "is empty"),
    refused("header alone", sheet(HEAD), "no row"),
    refused("column missing", with_("infant\t", "x_child\t"), "infant"),
    refused("column doubled", with_("label\t", "video\t"), "twice"),
    refused("id doubled", sheet(GOOD + "a1\ta\tward\tb.mp4\tnormal\t12\n"), "a1"),
    refused("label typo", with_("normal", "nromal"), "label"),
    refused("decimal comma", with_("12.5", "12,5"), "corrected_age_weeks"),
    refused("Excel date", with_("12.5", "12-May"), "corrected_age_weeks"),
    refused("id with ../", with_("a1", "../a1"), "recording"),
    refused("id with shell characters", with_("a1", "a;rm -rf $HOME"), "recording"),
    refused("id with a null byte", with_("a1", "a\0b"), "recording"),
    refused("video with a null byte", with_("a.mp4", "a\0.mp4"), "video"),
    refused("video name of 5,000 letters", with_("a.mp4", "a" * 5000), "video"),
    refused("video is a device", with_("a.mp4", "/dev/zero"), "is a device or a pipe"),
    refused("video is a pipe", piped(), "is a device or a pipe"),
    refused("video in nobody's home", with_("a.mp4", "~no-such-user/a.mp4"), "no such file"),
    refused("control characters", with_("normal", "\x1b[31mnormal\x07"), "holds U+001B"),
    refused("text that turns its direction", with_("normal", "norm\u202eal"), "holds U+202E"),
    refused("crop of 5,000 digits", sheet(cropped("9" * 5000)), "four whole numbers"),
    refused("100,000 columns that nobody knows", sheet(wide("y_", 100_000)), "y_0"),
    Kind("table", "100,000 columns of one's own", sheet(wide("x_", 100_000))),
    refused("number beyond any float", with_("12.5", "1e999"), "corrected_age_weeks"),
    refused("quotation mark left open", with_("normal", '"normal'), "quotation"),
    refused("a workbook", sheet(b"PK\x03\x04" + bytes(99)), "workbook"),
    refused("commas for tabs", sheet(GOOD.replace("\t", ",")), "commas"),
    refused("cell of 200,000 letters", with_("normal", "n" * 200_000), "row 2"),
    refused(
        "intervals that overlap", sheet(GOOD, "a1\t0\t5\tfidgety\na1\t4\t9\tfidgety\n"), "row 3"
    ),
    refused("interval that ends first", sheet(GOOD, "a1\t5\t2\tfidgety\n"), "end_s"),
    refused("interval of an unknown recording", sheet(GOOD, "zz\t0\t5\tfidgety\n"), "zz"),
]
