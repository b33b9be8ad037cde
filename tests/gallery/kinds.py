"""Bad input, kind by kind: how each is made, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fidgety.cohort import read_study
from fidgety.config.root import parse_config
from fidgety.config.video import VideoConfig
from fidgety.errors import FidgetyError, NotAssessable
from fidgety.pose.importers.reader import read_track
from fidgety.video.read import iter_frames
from fidgety.video.standardise import standardise_video

Family = Literal["video", "table", "tracks"]
PROCESSED, REFUSED = "processed", "refused"
SHORT = VideoConfig(min_duration_s=0.5)
SHEET = "recordings.tsv"


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Parameters
    ----------
    family
        Which part of fidgety reads it.
    name
        In words, for the table.
    make
        Makes it in an empty folder, and returns its path.
    expected
        ``processed``, a reason code, or ``refused``: a message stops the plan or the job.
    says
        What the message or detail must name: the row, column or file.
    slow, long
        Whether it is too dear for `make test-fast`, or for `make test`.
    """

    family: Family
    name: str
    make: Callable[[Path], Path]
    expected: str = PROCESSED
    says: str = ""
    slow: bool = False
    long: bool = False


@dataclass(frozen=True)
class Tried:
    """What came of a kind."""

    outcome: str
    detail: str = ""


def _standardise(path: Path) -> None:
    video = path.parent / "standard.mp4"
    record = standardise_video(path, video, SHORT)
    assert sum(1 for _ in iter_frames(video)) == record.n_frames > 0


def _plan(path: Path) -> None:
    more = {"intervals": "intervals.tsv"} if (path.parent / "intervals.tsv").exists() else {}
    config = parse_config({"sheet": path.name, "cohorts": {"ward": "development"}, **more})
    assert read_study(config, path.parent).recordings


def _import(path: Path) -> None:
    assert read_track(path, fps=25.0).n_frames > 0


READ: dict[Family, Callable[[Path], None]] = {
    "video": _standardise,
    "table": _plan,
    "tracks": _import,
}


def attempt(kind: Kind, folder: Path) -> Tried:
    """Make a kind in a folder and hand it to its reader; anything but a message is a bug."""
    path = kind.make(folder)
    try:
        READ[kind.family](path)
    except NotAssessable as error:
        return Tried(error.reason.value, error.detail)
    except FidgetyError as error:
        return Tried(REFUSED, str(error).replace(str(folder), "."))
    return Tried(PROCESSED)
