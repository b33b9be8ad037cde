"""Recordings of one's own against the trained models: a result or a recorded reason each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from fidgety.errors import Status
from fidgety.storage import read_outcome
from tests.workflow.conftest import Workflow, assert_unharmed
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.slow


def decode(path: Path) -> Iterator[np.ndarray]:
    """Yield a video's pictures."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def encode(path: Path, frames: Iterator[np.ndarray], fps: int, rotation: int = 0) -> None:
    """Write pictures as a phone would, with a rotation flag if asked for."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, fps)
        for k, picture in enumerate(frames):
            if k == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotation:
        set_rotation(path, rotation)


def set_rotation(path: Path, degrees: int) -> None:
    """Write a rotation into the display matrix of an mp4's only track, as a phone does."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd")
    assert at > 0
    matrix = at + 4 + 4 + 8 + 4 + 4 + 4 + 8 + 8  # version 0: the nine numbers before the size
    one = 1 << 16
    turns = {
        90: (0, one, 0, -one, 0, 0, 0, 0, 1 << 30),
        180: (-one, 0, 0, 0, -one, 0, 0, 0, 1 << 30),
        270: (0, -one, 0, one, 0, 0, 0, 0, 1 << 30),
    }
    for k, value in enumerate(turns[degrees]):
        data[matrix + 4 * k : matrix + 4 * k + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(data)


@pytest.fixture(scope="module")
def clinic(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a run with one good video and many bad ones, as cohort ``new``."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("clinic") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    phantom = min((workflow.folder / "results" / "phantom").glob("*/video.mp4"))
    pictures = list(decode(phantom))
    good = phantom.read_bytes()
    (own / "good.mp4").write_bytes(good)
    (own / "text.mp4").write_text("This is a letter, not a video.\n" * 50)
    (own / "empty.mp4").write_bytes(b"")
    (own / "half.mp4").write_bytes(good[: len(good) // 2])
    rng = np.random.default_rng(0)
    blanket = rng.integers(90, 160, (240, 240, 3), dtype=np.uint8)
    encode(own / "nobody.mp4", (blanket for _ in range(250)), 25)
    encode(own / "short.mp4", iter(pictures[:50]), 25)
    doubled = (picture for picture in pictures for _ in range(2))
    encode(own / "turned.mp4", (np.rot90(p) for p in doubled), 60, rotation=90)
    rows = [
        {"recording": p.stem, "infant": p.stem, "cohort": "clinic", "video": f"own/{p.name}"}
        for p in sorted(own.iterdir())
    ]
    own_rows(workflow, rows)
    workflow.configure(sheet="recordings.tsv", cohorts={"clinic": "new"})
    workflow.run("--cores", "2")
    return workflow


@pytest.mark.parametrize(
    ("recording", "reasons"),
    [
        ("good", {""}),
        ("turned", {""}),
        ("text", {"video_unreadable"}),
        ("empty", {"video_empty"}),
        # The index may stand before the data or behind it: half a video is a shorter one, or none.
        ("half", {"video_unreadable", "no_complete_window", ""}),
        ("nobody", {"no_body"}),
        ("short", {"video_too_short"}),
    ],
)
def test_each_gives_a_result_or_its_reason(
    clinic: Workflow, recording: str, reasons: set[str]
) -> None:
    outcome = read_outcome(clinic.folder / f"results/predictions/{recording}.h5")
    assert (outcome.reason.value if outcome.reason else "") in reasons
    assert outcome.ok == (outcome.reason is None)
    table = pd.read_csv(
        clinic.folder / "results/cohort/new.tsv", sep="\t", dtype=str, keep_default_na=False
    ).set_index("recording")
    assert table.loc[recording, "reason"] in reasons
    page = (clinic.folder / f"results/report/infants/{recording}.html").read_text()
    if not outcome.ok:
        assert Status.NOT_ASSESSABLE.value in page.lower()
    index = (clinic.folder / "results/report/index.html").read_text()
    assert f"infants/{recording}.html" in index


def test_other_infants_are_unharmed(clinic: Workflow, tiny_run: Workflow) -> None:
    assert_unharmed(tiny_run, clinic)


def test_one_row_runs_by_one_command_and_then_nothing(clinic: Workflow) -> None:
    assert clinic.planned() == {}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_file_is_a_message(clinic: Workflow) -> None:
    path = clinic.folder / "own" / "good.mp4"
    path.chmod(0)
    try:
        done = clinic.run("--dry-run", ok=False)
        assert "Traceback" not in done.stdout + done.stderr
    finally:
        path.chmod(0o644)
