"""What the user gives to a fine-tuning: files of labels, pictures, whom they show.

Nothing heavy is imported with this module: the plan is checked with it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fidgety.config.labelling import LabellingConfig
from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import ConfigError
from fidgety.pose.mmpose_runtime import check_network_files, network_files
from fidgety.registry import nearest

if TYPE_CHECKING:
    from fidgety.pose.finetune.labels import Labels


def check_pose_training(config: PoseTrainingConfig, checksum: Callable[[Path], str]) -> list[str]:
    """Find what is missing for a fine-tuning, one line a finding; nothing where none is set up.

    Parameters
    ----------
    config
        The ``pose_training`` section.
    checksum
        Checksum of a file's content.
    """
    findings = []
    for name in config.labels:
        path = Path(name).expanduser()
        place = f"pose_training.labels: {name}"
        if not path.exists():
            findings.append(f"{place}: there is no such file or folder.")
        elif not path.is_dir() and not path.is_file():
            findings.append(f"{place}: is a device or a pipe, not a file.")
        elif path.is_dir() and not any(path.glob("*.json")):
            findings.append(f"{place}: this folder has no labelme files (*.json).")
        elif path.is_file() and path.suffix.lower() not in (".json", ".csv"):
            findings.append(
                f"{place}: is neither COCO keypoints (.json), nor a CollectedData file of "
                "DeepLabCut (.csv), nor a folder of labelme files."
            )
    if config.images is not None and not Path(config.images).expanduser().is_dir():
        findings.append(f"pose_training.images: there is no folder {config.images}.")
    if config.infants is not None:
        try:
            read_infants(Path(config.infants).expanduser())
        except ConfigError as error:
            findings.append(str(error))
    if config.labels or config.checkpoint is not None:
        findings += check_network_files(config.config, config.checkpoint, "pose_training")
        findings += _check_checksum(config, checksum)
    return findings


def _check_checksum(config: PoseTrainingConfig, checksum: Callable[[Path], str]) -> list[str]:
    path, expected = Path(str(config.checkpoint)).expanduser(), config.checkpoint_sha256
    if expected is None or not path.is_file() or checksum(path) == expected.lower():
        return []
    return [
        f"pose_training.checkpoint: {path} has SHA-256 {checksum(path)}, expected {expected}: "
        "it is damaged, or another file."
    ]


def check_labelling(
    config: LabellingConfig, recordings: Iterable[str], skeletons: Iterable[str]
) -> list[str]:
    """Find names in the ``labelling`` section that nothing has.

    Parameters
    ----------
    config
        The section.
    recordings
        Ids of the study.
    skeletons
        Names of known skeletons, the user's among them.
    """
    known, names = sorted(recordings), list(skeletons)
    findings = [
        f"labelling.recordings: there is no recording {name!r}.{nearest(name, known)}"
        for name in config.recordings
        if name not in known
    ]
    if config.skeleton not in names:
        findings.append(
            f"labelling.skeleton: there is no skeleton {config.skeleton!r}; known are: "
            f"{', '.join(names)}.{nearest(config.skeleton, names)}"
        )
    return findings


def label_files(config: PoseTrainingConfig) -> list[Path]:
    """Return the files of labels, those of folders one by one, and the table of infants."""
    files: list[Path] = []
    for name in config.labels:
        path = Path(name).expanduser()
        files += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if config.infants is not None:
        files.append(Path(config.infants).expanduser())
    return files


def network_inputs(config: PoseTrainingConfig) -> list[Path]:
    """Return the files that the network starts from: weights, and a config of one's own."""
    return list(network_files(config.config, config.checkpoint).values())


def named_recordings(files: Iterable[Path], recordings: Iterable[str]) -> list[str]:
    """Return the recordings whose names stand in files of labels.

    Only of those the sheet decides anything here: other rows of it retrain no model.
    """
    text = "\n".join(
        f"{path}\n{path.read_text(encoding='utf-8', errors='replace')}"
        for path in files
        if path.is_file()
    )
    return sorted(r for r in recordings if r in text)


def read_infants(path: Path) -> dict[str, str]:
    """Read the table of who is in which recording.

    Raises
    ------
    ConfigError
        If it is missing, has other columns, or contradicts itself.
    """
    where = f"pose_training.infants: {path}"
    # Reading a device or a pipe may have no end.
    if path.exists() and not path.is_file():
        raise ConfigError(f"{where}: is no file.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where}: cannot be read ({error}).") from None
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        recording, infant = ((row.get(column) or "").strip() for column in ("recording", "infant"))
        if not recording or not infant:
            raise ConfigError(
                f"{where}: row {number} has no recording or no infant: the table needs these two "
                "columns, separated by tabs."
            )
        if found.setdefault(recording, infant) != infant:
            raise ConfigError(f"{where}: row {number}: {recording} is of two infants.")
    return found


def read_labels(
    config: PoseTrainingConfig, infants: Mapping[str, str]
) -> tuple[Labels, dict[str, Path]]:
    """Read all labels, and find their pictures.

    Parameters
    ----------
    config
        The ``pose_training`` section.
    infants
        Infant by recording, of the sample sheet.

    Returns
    -------
    labels
        Keypoints called as in this project's skeletons; of every frame the infant is known.
    pictures
        File by the frame's name.

    Raises
    ------
    LabelError
        If a file is wrong, files contradict each other, or pictures are missing.
    """
    from fidgety.pose.finetune.dataset import find_pictures, known_names, name_infants
    from fidgety.pose.finetune.labels import LabelError, merge

    parts, pictures, missing = [], {}, []
    for name in config.labels:
        path = Path(name).expanduser()
        part = known_names(_read(path, config))
        found, gone = find_pictures(part, _folders(path, config), str(path))
        parts.append(part)
        pictures.update(found)
        missing += gone
    if missing:
        raise LabelError("\n".join(missing) + "\nName their folder in pose_training.images.")
    return name_infants(merge(parts), _infants(config, infants)), pictures


def _infants(config: PoseTrainingConfig, infants: Mapping[str, str]) -> dict[str, str]:
    """Return the infant of each recording: the user's table before the sample sheet."""
    if config.infants is None:
        return dict(infants)
    return dict(infants) | read_infants(Path(config.infants).expanduser())


def taken_for_infants(
    labels: Labels, config: PoseTrainingConfig, infants: Mapping[str, str]
) -> list[str]:
    """Return the recordings that were each taken for an infant of its own: nobody says whose.

    Two recordings of one infant could then be on both sides of the validation split.
    """
    alone = {f.recording for f in labels.frames if f.infant == f.recording}
    return sorted(alone - set(_infants(config, infants)))


def _read(path: Path, config: PoseTrainingConfig) -> Labels:
    from fidgety.pose.finetune.deeplabcut import read_deeplabcut
    from fidgety.pose.finetune.labelme import read_labelme
    from fidgety.pose.finetune.labels import read_coco

    if path.is_dir():
        return read_labelme(path)
    if path.suffix.lower() == ".csv":
        return read_deeplabcut(path, Path(config.images).expanduser() if config.images else None)
    return read_coco(path)


def _folders(path: Path, config: PoseTrainingConfig) -> list[Path]:
    """Return where the pictures of a file of labels may lie, the likeliest first."""
    own = path if path.is_dir() else path.parent
    given = [Path(config.images).expanduser()] if config.images else []
    # CVAT exports annotations/ beside images/, the kit of pick_frames cvat/ beside images/.
    return [*given, own, own / "images", own.parent / "images"]
