"""Track files of text, put together from hostile pieces: only poses and reasons come out."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.errors import DETAIL_CHARACTERS, NotAssessable, Reason
from fidgety.pose.importers.reader import read_track
from fidgety.skeletons import OPENPOSE_25
from tests.fuzz.mutate import examples, limited
from tests.fuzz.results_worker import import_tracks
from tests.fuzz.test_fuzz import EXAMPLE_S, LOOSE
from tests.pose.test_track_formats import OUTCOMES

LONG = "9" * 400
LONGER = "9" * 5000
#: What stands between separators, where a number should.
CELLS = st.sampled_from(
    (
        "0", "1", "2", "3.5", "-1", "", " ", '"', '""', '"1"', '"1', '1"', "'", "nan", "NaN",
        "inf", "-inf", "1e308", "1e400", "-1e400", LONG, LONGER, f"-{LONG}", f"{LONG}.5",
        "True", "false", "None", "1+2j", "0x10", "1_000", "٣", "²", "2020-01-01", "1;2", "1\t2",
        "\0", "\x1a", "\u2028", "\N{BABY}", "9999999", "99999999999999999999", "4400001",
    )
)  # fmt: skip
SEPARATORS = st.sampled_from((*([","] * 9), ";", "\t", ",,", ""))
ENDS = st.sampled_from((*(["\n"] * 9), "\r\n", "\r", "\n\n", "\x0b", ""))
HEADS = (
    "scorer,s,s,s\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n",
    "scorer,s,s,s\nindividuals,a,a,a\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n",
    'scorer,"s",s,s\nbodyparts,nose,nose,nose\ncoords,x,y,z\n',
    "scorer,s,t,s\nbodyparts,nose,nose,nose\ncoords,x,y,x\n",
    "",
)


def comes_to_a_reason(path: Path) -> None:
    caught = None
    with limited(EXAMPLE_S):
        try:
            import_tracks(path)
        except NotAssessable as error:
            caught = error
    assert (caught and caught.reason) in OUTCOMES
    assert caught is None or len(caught.detail) <= DETAIL_CHARACTERS


@st.composite
def tables(draw: Any) -> str:
    """Build a table of which most rows are as wide as the header."""
    text = draw(st.sampled_from(HEADS))
    for number in range(draw(st.integers(0, 5))):
        width = draw(st.sampled_from((4, 4, 4, 4, 3, 5, 0, 1)))
        cells = [draw(CELLS) for _ in range(width)]
        if cells and draw(st.booleans()):
            cells = [str(number), *(["1.5"] * (width - 1))]
            cells[draw(st.integers(0, width - 1))] = draw(CELLS)
        for k, cell in enumerate(cells):
            text += (draw(SEPARATORS) if k else "") + cell
        text += draw(ENDS)
    return text


@settings(LOOSE, max_examples=examples(150))
@given(text=tables(), encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-8-sig"]))
def test_any_table_of_tracks(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_bytes(text.encode(encoding))
    comes_to_a_reason(path)


#: What stands where JSON wants a value: numbers that are none or too large, nesting, other types.
VALUES = st.sampled_from(
    (
        "0", "1", "2", "-1", "1.5", "1e308", "1e400", "-1e400", LONG, LONGER, "NaN", "Infinity",
        "null", "true", '""', '"1.jpg"', f'"{LONG}.jpg"', f'"{"9" * 15}.jpg"', '"\\ud800.jpg"',
        "[]", "{}", "[[[[0]]]]", "[" * 900 + "]" * 900, '{"a":1}', "4400001", "99999999999",
        '"a"', '"\\ud800"', '"\\u001b[2J\\u202e"', f'"{LONGER}"', "٣", "",
    )
)  # fmt: skip
KEYS = st.sampled_from(
    ("image_id", "keypoints", "score", "idx", "track_id", "id", "frame_id", "file_name", "iscrowd")
)
POINTS = st.one_of(
    st.just("[" + ",".join(["1"] * 51) + "]"),
    st.just("[" + ",".join(["1"] * 51) + "]"),
    st.builds(lambda v: "[" + ",".join([v, *(["1"] * 50)]) + "]", VALUES),
    st.builds(lambda v: "[" + ",".join([v] * 51) + "]", VALUES),
    VALUES,
)


@st.composite
def persons(draw: Any) -> str:
    """Build an entry of the list of persons, or of images."""
    content = {"image_id": draw(VALUES), "keypoints": draw(POINTS), "score": "1", "id": "1"}
    if draw(st.booleans()):
        content["image_id"] = str(draw(st.integers(0, 5)))
    for key in draw(st.lists(KEYS, max_size=2)):
        content[key] = draw(VALUES)
    for key in draw(st.lists(KEYS, max_size=1)):
        content.pop(key, None)
    return "{" + ",".join(f'"{key}":{value}' for key, value in content.items()) + "}"


@st.composite
def documents(draw: Any) -> str:
    """Build results, annotations, or a file of OpenPose."""
    people = "[" + ",".join(draw(st.lists(persons() | VALUES, min_size=1, max_size=4))) + "]"
    if draw(st.booleans()):
        return people
    images = "[" + ",".join(draw(st.lists(persons() | VALUES, max_size=4))) + "]"
    names = draw(st.sampled_from(('["nose"]', '["\\ud800"]', "[1]", "[[]]", "{}", LONGER)))
    return (
        f'{{"images":{images},"annotations":{people},'
        f'"categories":[{{"keypoints":{names}}}],"people":{people}}}'
    )


@settings(LOOSE, max_examples=examples(150))
@given(text=documents(), cut=st.booleans())
def test_any_json_of_tracks(tmp_path: Path, text: str, cut: bool) -> None:
    path = tmp_path / "tracks.json"
    path.write_text(text[: len(text) // 2] if cut else text, encoding="utf-8")
    comes_to_a_reason(path)


@settings(LOOSE, max_examples=examples(60))
@given(
    people=st.lists(VALUES | st.builds(lambda v: f'{{"pose_keypoints_2d":{v}}}', POINTS)),
    number=st.sampled_from(["0", "000000000012", LONG, "4400001", "9999999999999999999"]),
)
def test_any_frame_of_openpose(tmp_path: Path, people: list[str], number: str) -> None:
    path = tmp_path / "tracks"
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    whole = {"people": [{"pose_keypoints_2d": [2.0] * 3 * len(OPENPOSE_25.keypoints)}]}
    (path / "a_000000000001_keypoints.json").write_text(json.dumps(whole))
    with contextlib.suppress(OSError):  # the longest name is too long for a file
        (path / f"a_{number}_keypoints.json").write_text(f'{{"people":[{",".join(people)}]}}')
    comes_to_a_reason(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('0,"1,1,1', "quotation mark"),
        ('0,1,1,1\n1,"1,1,1\n2,1",1,1', "quotation mark"),
        (f"{LONG},1,1,1", "number too long"),
        (f"{LONGER},1,1,1", "not a whole number"),
        (f"0,{LONG},x,1", "number too long"),
        (f"0,{LONG}.0,1,1\n{LONGER}.0,1,1,1", "not a whole number"),
        ("0,1,x,1", "'x' is not a number"),
        (f"0,1,{'x' * 999},1", "'x{30}' is not a number"),
    ],
)
def test_a_row_that_no_reader_takes_is_named(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "tracks.csv"
    path.write_text(HEADS[0] + row + "\n")
    with pytest.raises(NotAssessable, match=said) as caught:
        read_track(path, fps=25.0)
    assert caught.value.reason is Reason.POSE_UNREADABLE
