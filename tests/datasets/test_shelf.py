"""Arrays that lie on disk: the values are what they were, and memory is bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fidgety.datasets.shelf import Shelf

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.uint8]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=9),
)


@given(st.lists(arrays, max_size=12), st.integers(0, 500), st.integers(1, 2000))
@settings(max_examples=60, deadline=None)
def test_values_stay_what_they_were(
    tmp_path_factory: pytest.TempPathFactory, given_arrays: list, in_memory: int, chunk: int
) -> None:
    """Wherever they lie, and whichever of them is changed afterwards."""
    folder = tmp_path_factory.mktemp("shelf")
    wanted = [array.copy() for array in given_arrays]
    shelf = Shelf(folder / "below", in_memory, chunk)
    kept = [shelf.put(array) for array in given_arrays]
    for k, array in enumerate(kept):
        if k % 2:
            array[...] = 0
            wanted[k][...] = 0
    for array, right in zip(kept, wanted, strict=True):
        assert array.dtype == right.dtype
        np.testing.assert_array_equal(array, right)
    # Nobody else sees the files, while they are used or afterwards.
    assert not [path for path in folder.rglob("*") if path.is_file()]


FILL = """
import os, re, sys
import numpy as np
from fidgety.datasets.shelf import Shelf
def own_mb():
    return int(re.search(r"RssAnon:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
shelf = Shelf(sys.argv[1], in_memory_bytes=20_000_000, chunk_bytes=1 << 24)
before = own_mb()
kept = [shelf.put(np.full(10_000_000 // 4, k, dtype=np.float32)) for k in range(30)]
assert all(array[0] == array[-1] == k for k, array in enumerate(kept))
print(own_mb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is told by Linux alone")
def test_what_does_not_fit_is_not_kept_in_memory(tmp_path: Path) -> None:
    """300 MB are put there, 20 of them may stay."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert float(done.stdout) < 60


def test_a_full_disk_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """Room is taken before it is written to; a map beyond it would end in SIGBUS."""
    shelf = Shelf(tmp_path, in_memory_bytes=0, chunk_bytes=1 << 60)
    with pytest.raises(OSError, match=r"space|large"):
        shelf.put(np.zeros(4))
