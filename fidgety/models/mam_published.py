"""Score the published demonstration clips of Gao 2023 with the published clip weights.

``python -m fidgety.models.mam_published --weights clip_only.pth --clips clips.npz``

The weights were trained on positions standardised by the mean and standard deviation of the
authors' training infants, and these two were not published. So they are right for the published
clips, which come standardised, and for nobody's own poses: there the option ``published_weights``
of the models is refused, and so is any file here that cannot be of the release: other shapes, or
positions that are no z-scores. (Own poses that somebody z-scores first cannot be told apart.)

Clips are read in either form: ``clips``, the release's signed differences of shape (clip, 17, 16,
3, 240); or ``positions`` (frame, 17, 3) of several recordings with ``offsets`` (recording + 1),
cut every ``--step`` frames. Joints are Human3.6M's, 25 frames a second.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fidgety.errors import ConfigError, FidgetyError
from fidgety.files import write_text
from fidgety.models.mam import MamClip, MamClipNetwork, load_released
from fidgety.models.mam_options import UNKNOWN_STANDARDISATION, MamClipOptions
from fidgety.models.weight_file import read_weight_file

#: Sizes of the network that the published weights are of.
SIZES = MamClipOptions(encoder_layers=1, feed_forward=2048, pool_widths=(64,), frame_stride=1)
JOINTS, DIMENSIONS, FRAMES = 17, 3, 240
#: The published classifier's second output is fidgety.
COLUMNS = ("recording", "start", "logit_other", "logit_fidgety", "probability_fidgety")
BATCH = 32
#: Between which the standard deviation of z-scored positions, a dimension, lies.
SPREAD = (0.3, 3.0)


def published_network(path: Path) -> MamClipNetwork:
    """Load the published weights.

    Parameters
    ----------
    path
        ``clip_only.pth``; nothing in it is executed.

    Raises
    ------
    ConfigError
        If it cannot be read or holds other weights.
    """
    weights = read_weight_file(path)
    network = MamClip.build(SIZES, JOINTS * DIMENSIONS, 2)
    assert isinstance(network, MamClipNetwork)
    load_released(network, weights)
    return network.eval()


def positions_of(clips: NDArray[np.floating]) -> NDArray[np.float32]:
    """Recover positions, up to a shift that differences do not see, from signed differences.

    Parameters
    ----------
    clips : ndarray of shape (clip, 17, 16, 3, 240)
        Of each joint to the others in ascending order: the first other is joint 0.

    Returns
    -------
    ndarray of shape (clip, 240, 17, 3), float32
        Joint 0 at the origin.
    """
    positions = np.zeros((len(clips), JOINTS, DIMENSIONS, FRAMES), dtype=np.float32)
    positions[:, 1:] = clips[:, 1:, 0]
    return positions.transpose(0, 3, 1, 2)


def read_clips(path: Path, step: int) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Yield recording, first frame and positions (240, 17, 3) of every published clip.

    Raises
    ------
    ConfigError
        If the file is no clips of the release.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            file = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: is no npz file of published clips ({error}). "
                          + UNKNOWN_STANDARDISATION) from None  # fmt: skip
    if "clips" in file:
        clips = file["clips"]
        if clips.shape[1:] != (JOINTS, JOINTS - 1, DIMENSIONS, FRAMES):
            raise ConfigError(
                f"{path}: clips of shape {clips.shape}, not (clip, 17, 16, 3, 240). "
                + UNKNOWN_STANDARDISATION
            )
        for k, one in enumerate(_standardised(path, positions_of(clips))):
            yield k, 0, one
        return
    if "positions" not in file or "offsets" not in file:
        raise ConfigError(
            f"{path}: has neither clips nor positions with offsets. " + UNKNOWN_STANDARDISATION
        )
    positions, offsets = file["positions"], file["offsets"]
    if positions.shape[1:] != (JOINTS, DIMENSIONS):
        raise ConfigError(f"{path}: positions of shape {positions.shape}, not (frame, 17, 3).")
    _standardised(path, positions)
    for k, (first, stop) in enumerate(itertools.pairwise(offsets)):
        for start in range(0, int(stop - first) - FRAMES + 1, step):
            begin = int(first) + start
            yield k, start, positions[begin : begin + FRAMES].astype(np.float32)


def _standardised(path: Path, positions: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return positions that may be the release's, which are z-scores around the pelvis.

    Raises
    ------
    ConfigError
        If they are anything else, such as pixels or metres.
    """
    spread = positions.reshape(-1, DIMENSIONS).std(axis=0) if positions.size else np.zeros(3)
    low, high = SPREAD
    if not ((spread > low) & (spread < high)).all():
        told = ", ".join(f"{s:.3g}" for s in spread)
        raise ConfigError(
            f"{path}: the positions' standard deviations are {told}, not near 1: they are no "
            f"published ones. {UNKNOWN_STANDARDISATION}"
        )
    return positions


def score(network: MamClipNetwork, clips: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return the logits of clips of shape (240, 17, 3): (clip, 2)."""
    found = []
    with torch.inference_mode():
        for first in range(0, len(clips), BATCH):
            some = np.stack(clips[first : first + BATCH]).reshape(-1, FRAMES, JOINTS * DIMENSIONS)
            found.append(network.clip_logits(torch.from_numpy(some)))
    return torch.cat(found).double().numpy()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the scores of the published clips as a table."""
    parser = argparse.ArgumentParser(
        prog="python -m fidgety.models.mam_published", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--weights", type=Path, required=True, help="clip_only.pth")
    parser.add_argument("--clips", type=Path, required=True, help="npz file of published clips")
    parser.add_argument("--step", type=int, default=60, help="frames between clips (60)")
    parser.add_argument("--output", type=Path, help="table; the screen if left out")
    given = parser.parse_args(arguments)
    try:
        network = published_network(given.weights)
        clips = list(read_clips(given.clips, max(given.step, 1)))
        if not clips:
            raise ConfigError(f"{given.clips}: no recording has {FRAMES} frames.")
        logits = score(network, [one for _, _, one in clips])
    except FidgetyError as error:
        print(error, file=sys.stderr)
        return 1
    table = pd.DataFrame(
        [
            (k, start, *row, 1 / (1 + np.exp(row[0] - row[1])))
            for (k, start, _), row in zip(clips, logits, strict=True)
        ],
        columns=list(COLUMNS),
    )
    text = str(table.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n"))
    if given.output is None:
        print(text, end="")
    else:
        write_text(given.output, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
