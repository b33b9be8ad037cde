"""Read damaged HDF5 files, in a process of its own: HDF5 may crash it.

Prints the number of a file before it is read, so that the last line names the one that ended it.
"""

from __future__ import annotations

import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from fidgety.errors import FidgetyError, NotAssessable
from fidgety.features.store import FEATURES_SCHEMA, read_feature_set
from fidgety.pose.corrections_table import load_corrections
from fidgety.pose.exporters.movement import MovementFile
from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import POSE_SCHEMA, read_pose, write_pose
from fidgety.storage import Provenance, groups, read_dataset, read_outcome, read_provenance
from tests.fuzz.mutate import mutate

MOST_BYTES = 4 * 2**30
#: In place of a schema: an edited pose of the review's.
CORRECTIONS = "corrections"
#: In place of a schema: tracks of another program.
TRACKS = "tracks"


def import_tracks(path: Path) -> None:
    """Import tracks, and hand them on as the workflow does."""
    pose, folder = read_track(path, fps=25.0), path.parent
    write_pose(folder / "pose.h5", pose, Provenance(recording="a"))
    assert read_pose(folder / "pose.h5").n_frames == pose.n_frames
    MovementFile().write(pose, folder / "export.nc", Provenance(recording="a"))


#: What reads a file, by its schema.
READERS: dict[str, tuple[Callable[[Path], object], ...]] = {
    POSE_SCHEMA: (read_pose,),
    FEATURES_SCHEMA: (
        lambda path: read_feature_set(path, "coords2d"),
        lambda path: read_feature_set(path, "angles"),
    ),
    CORRECTIONS: (load_corrections,),
    TRACKS: (import_tracks,),
}
NONSENSE = ("", "oj", "{", "[]", "nan", 7, -1.5, b"\xff\xfe")


def damage(path: Path, content: bytes, rng: np.random.Generator) -> None:
    """Change bytes, most of which HDF5's checksums find, or a name or attribute, which none do."""
    if rng.random() < 0.5:
        path.write_bytes(mutate(content, rng))
        return
    path.write_bytes(content)
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        place = file[str(rng.choice(["/", *sorted(names)]))]
        keys = sorted(place.attrs)
        what = rng.integers(4)
        if what == 0 and place.name != "/":
            del file[place.name]
        elif what == 1 and place.name != "/":
            file.move(place.name, place.name + "x")
        elif keys:
            key = str(rng.choice(keys))
            del place.attrs[key]
            if what == 3:
                place.attrs[key] = NONSENSE[rng.integers(len(NONSENSE))]


def main(source: str, schema: str, first: str, last: str) -> None:
    """Try the damages with seeds from first to last; exit with 1 at a traceback."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    content = Path(source).read_bytes()
    path = Path(source).with_name("damaged.nc")
    common: tuple[Callable[[Path], object], ...] = (
        lambda path: read_outcome(path, schema),
        lambda path: read_dataset(path, schema=schema),
        groups,
        read_provenance,
    )
    for seed in range(int(first), int(last)):
        print(seed, flush=True)
        damage(path, content, np.random.default_rng(seed))
        for read in (*(() if schema in (CORRECTIONS, TRACKS) else common), *READERS[schema]):
            try:
                read(path)
            except (FidgetyError, NotAssessable):
                pass
            except BaseException:
                traceback.print_exc()
                sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
