"""The folder that a labeller works in: pictures, and files for the chosen tools.

::

    images/             the pictures, named after recording and frame
    cvat/               annotations.json (COCO keypoints) and labels.json (the skeleton)
    labelme/            a JSON file a picture
    deeplabcut/         labeled-data/<recording>/ with pictures and tables, config-snippet.yaml

Work by hand is dear: a file that was changed since it was written here is never overwritten.
What was written is remembered by checksum in ``.written.json``. A file's content is made when it
is written: the pictures of a large cohort do not fit into memory.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from fidgety.config.labelling import LabelFormat
from fidgety.errors import FidgetyError
from fidgety.files import atomic_path, file_sha256, read_json, write_json
from fidgety.pose.finetune.deeplabcut import FOLDER, project_snippet, to_table, write_h5
from fidgety.pose.finetune.labelme import to_labelme
from fidgety.pose.finetune.labels import CATEGORY, LabelledFrame, Labels, to_coco
from fidgety.skeletons import Skeleton

#: Makes a file's content.
Content = Callable[[], bytes]

WRITTEN = ".written.json"
NOTICE = """\
These pictures show infants' faces: they are health data and identify a person.
Keep this folder where the videos are kept, under the same rules, and delete it after labelling.

Copy or move what you label to a folder of your own: everything below the results folder may be
made anew. Files that you changed here are never overwritten, the workflow stops instead.
"""


def png(picture: NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture as PNG, without any metadata."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def skeleton_drawing(labels: Labels) -> str:
    """Draw the skeleton as CVAT's label constructor wants it (SVG elements, 0 to 100).

    Points lie as in the first frame on which all are marked, else on a circle.
    """
    n = len(labels.keypoints)
    whole = next((f.position for f in labels.frames if f.marked.all()), None)
    if whole is None:
        turn = 2 * np.pi * np.arange(n) / n
        whole = np.column_stack([np.sin(turn), -np.cos(turn)])
    low, high = whole.min(axis=0), whole.max(axis=0)
    scale = 80.0 / max(float((high - low).max()), 1e-9)
    points = (50.0 + (whole - (low + high) / 2) * scale).round(2)
    lines = []
    for a, b in labels.bones:
        i, j = labels.keypoints.index(a), labels.keypoints.index(b)
        lines.append(
            f'<line x1="{points[i, 0]}" y1="{points[i, 1]}" x2="{points[j, 0]}" '
            f'y2="{points[j, 1]}" stroke="black" data-type="edge" data-node-from="{i + 1}" '
            f'stroke-width="0.5" data-node-to="{j + 1}"></line>'
        )
    for i, name in enumerate(labels.keypoints):
        lines.append(
            f'<circle r="1.5" stroke="black" fill="#b3b3b3" cx="{points[i, 0]}" '
            f'cy="{points[i, 1]}" stroke-width="0.1" data-type="element node" '
            f'data-element-id="{i + 1}" data-node-id="{i + 1}" '
            f'data-label-name="{escape(name)}"></circle>'
        )
    return "".join(lines)


def cvat_labels(labels: Labels) -> list[dict[str, Any]]:
    """Return what is pasted into the "Raw" tab of CVAT's label constructor."""
    return [
        {
            "name": CATEGORY,
            "type": "skeleton",
            "attributes": [],
            "svg": skeleton_drawing(labels),
            "sublabels": [
                {"name": name, "type": "points", "attributes": []} for name in labels.keypoints
            ],
        }
    ]


def _given(content: bytes) -> Content:
    return lambda: content


def _h5(table: pd.DataFrame) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "table.h5"
        write_h5(path, table)
        return path.read_bytes()


def _deeplabcut(
    by_recording: Mapping[str, Sequence[LabelledFrame]],
    labels: Labels,
    scorer: str,
    pictures: Mapping[str, Content],
) -> Iterator[tuple[str, Content]]:
    """Yield the files of DeepLabCut's project."""
    for recording, own in by_recording.items():
        folder = f"deeplabcut/{FOLDER}/{recording}"
        for frame in own:
            yield f"{folder}/{frame.file}", pictures[frame.file]
        table = to_table(own, labels.keypoints, scorer)
        text = table.to_csv(lineterminator="\n").encode()
        yield f"{folder}/CollectedData_{scorer}.csv", _given(text)
        yield f"{folder}/CollectedData_{scorer}.h5", functools.partial(_h5, table)
    snippet = project_snippet(labels.keypoints, labels.bones, scorer)
    yield "deeplabcut/config-snippet.yaml", _given(snippet.encode("utf-8"))


def kit_files(
    by_recording: Mapping[str, Sequence[LabelledFrame]],
    pictures_of: Callable[[str], NDArray[np.uint8]],
    skeleton: Skeleton,
    formats: Sequence[LabelFormat],
    scorer: str,
) -> dict[str, Content]:
    """Name all files of the folder.

    Parameters
    ----------
    by_recording
        Frames of each recording.
    pictures_of
        Returns a recording's pictures (frame, height, width, 3), RGB. It is called when a
        picture is written, the recordings one after the other.
    skeleton
        Its keypoints are marked, its bones drawn.
    formats
        Tools to write for.
    scorer
        Name of the labeller in DeepLabCut's files.

    Returns
    -------
    dict
        Path below the folder to what makes the content.
    """
    frames = [frame for own in by_recording.values() for frame in own]
    labels = Labels(skeleton.keypoints, tuple(frames), skeleton.bones)

    def picture(recording: str, k: int) -> bytes:
        return png(pictures_of(recording)[k])

    pictures: dict[str, Content] = {
        frame.file: functools.partial(picture, recording, k)
        for recording, own in by_recording.items()
        for k, frame in enumerate(own)
    }
    files: dict[str, Content] = {"README.txt": _given(NOTICE.encode("utf-8"))}
    files |= {f"images/{name}": content for name, content in pictures.items()}
    if "cvat" in formats:
        files["cvat/annotations.json"] = _given(_json(to_coco(labels)))
        files["cvat/labels.json"] = _given(_json(cvat_labels(labels)))
    if "labelme" in formats:
        for frame in frames:
            content = to_labelme(frame, labels.keypoints, f"../images/{frame.file}")
            files[f"labelme/{Path(frame.file).stem}.json"] = _given(_json(content))
    if "deeplabcut" in formats:
        files |= dict(_deeplabcut(by_recording, labels, scorer, pictures))
    return files


def write_kit(folder: str | Path, files: Mapping[str, Content]) -> None:
    """Write the folder, and remove what an earlier call wrote and nobody needs any more.

    Raises
    ------
    FidgetyError
        If a file was changed since it was written; nothing is touched then.
    """
    folder = Path(folder)
    known = _written(folder)
    changed = [
        name
        for name in sorted({*known, *files})
        if (folder / name).is_file()
        and not _is_ours(folder / name, known.get(name), files.get(name))
    ]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise FidgetyError(
            f"{folder}: {', '.join(changed[:3])}{more} changed since they were written here. "
            "Labelling by hand is not overwritten: move this folder to a place of your own, then "
            "run again."
        )
    for name in sorted(set(known) - set(files)):
        (folder / name).unlink(missing_ok=True)
    sums = {}
    for name, make in files.items():
        content = make()
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    write_json(folder / WRITTEN, sums)


def _written(folder: Path) -> dict[str, str]:
    path = folder / WRITTEN
    return dict(read_json(path)) if path.is_file() else {}


def _is_ours(path: Path, known: str | None, wanted: Content | None) -> bool:
    """Tell whether a file is as it was written here, or as it would be written now."""
    if known is not None and file_sha256(path) == known:
        return True
    return wanted is not None and path.read_bytes() == wanted()
