"""Bad input, kind by kind: how each is made, and what must come of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fidgety.cohort import read_study
from fidgety.config.cleaning import CleaningConfig
from fidgety.config.pose import PoseConfig
from fidgety.config.quality import QualityConfig
from fidgety.config.root import parse_config
from fidgety.config.video import VideoConfig
from fidgety.errors import FidgetyError, NotAssessable
from fidgety.pose.cleaning import clean
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import read_pose
from fidgety.pose.verdict import quality_record
from fidgety.video.read import iter_frames
from fidgety.video.standardise import standardise_video
from tests.pose.sight import UprightOnly

Family = Literal["video", "content", "table", "tracks"]
PROCESSED, REFUSED = "processed", "refused"
SHORT = VideoConfig(min_duration_s=0.5)
SHEET = "recordings.tsv"
NOBODY = 65534


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
    ordinary
        Whether an ordinary user tries it, for whom permissions count.
    """

    family: Family
    name: str
    make: Callable[[Path], Path]
    expected: str = PROCESSED
    says: str = ""
    slow: bool = False
    long: bool = False
    ordinary: bool = False


@dataclass(frozen=True)
class Tried:
    """What came of a kind."""

    outcome: str
    detail: str = ""


def _standardise(path: Path) -> None:
    video = path.parent / "standard.mp4"
    record = standardise_video(path, video, SHORT)
    assert sum(1 for _ in iter_frames(video)) == record.n_frames > 0


def _judge(path: Path) -> None:
    """Go from what is seen to the verdict on the recording."""
    if path.suffix == ".npz":
        with np.load(path) as seen:
            frames, masks = seen["frames"], seen["masks"]
        pose = estimate_pose(iter(frames), masks, PoseConfig(), UprightOnly(), fps=25.0)
    elif path.suffix == ".json":
        pose = read_track(path, fps=25.0)
    else:
        pose = read_pose(path)
    outcome, _ = quality_record(clean(pose, CleaningConfig()).pose, QualityConfig())
    outcome.raise_if_not_ok()


def _plan(path: Path) -> None:
    more = {"intervals": "intervals.tsv"} if (path.parent / "intervals.tsv").exists() else {}
    config = parse_config({"sheet": path.name, "cohorts": {"ward": "development"}, **more})
    assert read_study(config, path.parent).recordings


def _import(path: Path) -> None:
    assert read_track(path, fps=25.0).n_frames > 0


READ: dict[Family, Callable[[Path], None]] = {
    "video": _standardise,
    "content": _judge,
    "table": _plan,
    "tracks": _import,
}


@contextlib.contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody for a while, if root: root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that everybody may enter, unlike pytest's own: files' own rights count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def attempt(kind: Kind, folder: Path) -> Tried:
    """Make a kind in a folder and hand it to its reader; anything but a message is a bug."""
    if kind.ordinary:
        with open_folder() as entered:
            return _attempt(kind, entered)
    return _attempt(kind, folder)


def _attempt(kind: Kind, folder: Path) -> Tried:
    path = kind.make(folder)
    try:
        with ordinary_user() if kind.ordinary else contextlib.nullcontext():
            READ[kind.family](path)
    except NotAssessable as error:
        return Tried(error.reason.value, error.detail)
    except FidgetyError as error:
        return Tried(REFUSED, str(error).replace(str(folder), "."))
    return Tried(PROCESSED)
