"""Read damaged results files, in a process of its own: HDF5 may crash it.

Prints the number of a file before it is read, so that the last line names the one that ended it.
"""

from __future__ import annotations

import resource
import sys
import traceback
from pathlib import Path

import numpy as np

from fidgety.errors import FidgetyError, NotAssessable
from fidgety.pose.tracks import POSE_SCHEMA, read_pose
from fidgety.storage import read_dataset, read_outcome
from tests.fuzz.mutate import mutate

MOST_BYTES = 4 * 2**30


def main(source: str, first: str, last: str) -> None:
    """Try the mutations with seeds from first to last; exit with 1 at a traceback."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    content = Path(source).read_bytes()
    path = Path(source).with_name("damaged.nc")
    for seed in range(int(first), int(last)):
        print(seed, flush=True)
        path.write_bytes(mutate(content, np.random.default_rng(seed)))
        for read in (
            lambda: read_outcome(path, POSE_SCHEMA),
            lambda: read_dataset(path, schema=POSE_SCHEMA),
            lambda: read_pose(path),
        ):
            try:
                read()
            except (FidgetyError, NotAssessable):
                pass
            except BaseException:
                traceback.print_exc()
                sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
