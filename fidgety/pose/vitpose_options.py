"""Options of the ``vitpose`` estimator, apart from its heavy libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from fidgety.pose.estimator_options import TorchOptions

#: Files of a model's folder: what the network is, and its weights.
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
WHERE_TO_GET_IT = (
    f"Download {CONFIG_FILE} and {WEIGHTS_FILE} of one of the models of usyd-community on Hugging "
    "Face (vitpose-base-simple, vitpose-base, vitpose-plus-small, -base, -large or -huge) into "
    "one folder, and name the folder in pose.options.folder of config.yaml. Nothing is downloaded "
    "by the workflow."
)
#: What a config of such a model calls itself.
MODEL_TYPE = "vitpose"


class ViTPoseOptions(TorchOptions):
    """Options of the ``vitpose`` estimator (docs/pose-backends.md)."""

    #: The largest model's weights alone take 3.4 GB.
    mem_mb: ClassVar[int] = 8000

    folder: str = "weights/vitpose-plus-base"
    """Folder of the model, with ``config.json`` and ``model.safetensors``."""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Checksum that ``model.safetensors`` must have; without one every file is taken. A changed
    file runs the pose again in any case."""
    dataset_index: Annotated[int, Field(ge=0, le=15)] = 0
    """Which expert of a ViTPose+ model: 0 COCO, 1 AiC, 2 MPII, 3 AP-10K, 4 APT-36K, 5 COCO
    whole body. The keypoints of the published models are COCO's. Models without experts ignore
    it."""
    flip_test: bool = False
    """Average with the mirrored picture's prediction: a little better, half as fast."""
    box_share: Annotated[float, Field(gt=0.1, le=1)] = 0.72
    """Share of the crop's side that the body's box takes. The crop leaves a seventh on each side
    of the body; the network sees the box with a margin of an eighth of it on each side."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Smallest mean confidence of trunk and limbs for a frame to have a body. A network that was
    trained on people alone finds keypoints in every picture."""

    @property
    def path(self) -> Path:
        """Folder of the model."""
        return Path(self.folder).expanduser()

    def files(self) -> dict[str, Path]:
        """Return the description of the network and its weights."""
        return {"folder": self.path / WEIGHTS_FILE, "config": self.path / CONFIG_FILE}

    def expected_sha256(self) -> dict[str, str]:
        """Return the weights' checksum where it is given."""
        return {} if self.sha256 is None else {"folder": self.sha256.lower()}

    def check(self) -> list[str]:
        """Find a folder that is not there, lacks a file, or holds another kind of model."""
        where, path = "pose.options.folder", self.path
        if not path.is_dir():
            return [f"{where}: there is no folder {path}. {WHERE_TO_GET_IT}"]
        missing = [n for n in (CONFIG_FILE, WEIGHTS_FILE) if not (path / n).is_file()]
        if missing:
            pickles = sorted(p.name for p in path.glob("*.bin")) + sorted(
                p.name for p in path.glob("*.pt*")
            )
            note = (
                f" {pickles[0]} is a pickle, which may run any program when it is opened, and is "
                "not read."
                if pickles
                else ""
            )
            return [f"{where}: {path} lacks {' and '.join(missing)}.{note} {WHERE_TO_GET_IT}"]
        try:
            description = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
            kind = description.get("model_type")
        except (ValueError, AttributeError, OSError) as error:
            return [
                f"{where}: {path / CONFIG_FILE} cannot be read as a model's description ({error}). "
                f"{WHERE_TO_GET_IT}"
            ]
        if kind != MODEL_TYPE:
            return [
                f"{where}: {path / CONFIG_FILE} describes a model of type {kind!r}, expected "
                f"{MODEL_TYPE!r}. {WHERE_TO_GET_IT}"
            ]
        return []


Options = ViTPoseOptions
