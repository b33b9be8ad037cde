"""The ``pose_training`` section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fidgety.config.base import Section

Share = Annotated[float, Field(gt=0, lt=1)]


class PoseTrainingConfig(Section):
    """How `snakemake train_pose_model` fine-tunes an mmpose model on labelled frames."""

    labels: tuple[str, ...] = ()
    """Files of labels: COCO keypoints (``.json``, as CVAT exports them), folders of labelme
    files, DeepLabCut's ``CollectedData_*.csv``. All mark the same keypoints."""
    images: str | None = None
    """Folder that the pictures' names start from; None: the folder of each file of labels, or
    what labelme and DeepLabCut say."""
    infants: str | None = None
    """Table (TSV) with the columns ``recording`` and ``infant``, for pictures that are not from
    the sample sheet. Frames of one infant are never on both sides of the validation split."""
    config: str = "rtmpose-t_8xb256-420e_coco-256x192"
    """mmpose config of a 2D top-down model: a name that mmpose ships, or a file."""
    checkpoint: str | None = None
    """File with the weights to start from; None starts from random ones, which takes far more
    frames, or a small network with heatmaps."""
    checkpoint_sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Checksum that the file must have."""
    epochs: Annotated[int, Field(ge=1)] = 60
    """Passes over the training frames."""
    batch_size: Annotated[int, Field(ge=2)] = 32
    """Frames a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 5e-4
    """Largest rate: it rises over the first twentieth and falls along a cosine."""
    validation_share: Share = 0.2
    """Share of the infants kept aside: they choose the best epoch, and the report is on them."""
    validate_every: Annotated[int, Field(ge=1)] = 1
    """Epochs between two validations."""
    patience: Annotated[int, Field(ge=1)] | None = 15
    """Validations without a better one after which training ends; None trains all epochs."""
    flip: bool = True
    """Mirror frames at random."""
    rotate_deg: Annotated[float, Field(ge=0, le=180)] = 40.0
    """Turn frames at random by up to this angle to either side of upright."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Enlarge or reduce frames at random by up to this share."""
    colour: bool = True
    """Change brightness, contrast and colour at random."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """``auto`` uses a GPU where there is one."""
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    """CPU threads; with a GPU, all but one load frames. Another number may change the last
    digits of the weights."""
