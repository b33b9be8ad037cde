"""Options of the ``mediapipe_tasks`` estimator, apart from its heavy libraries."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from fidgety.pose.estimator_options import EstimatorOptions

Confidence = Annotated[float, Field(ge=0, le=1)]

#: What a pose landmarker's file holds: it is a ZIP archive.
PARTS = ("pose_detector.tflite", "pose_landmarks_detector.tflite")
WHERE_TO_GET_IT = (
    "Download pose_landmarker_full.task (or _lite, _heavy) from the models section of MediaPipe's "
    "pose landmark detection guide, put it there, or name its place in pose.options.model of "
    "config.yaml. Nothing is downloaded by the workflow."
)


class PoseLandmarkerOptions(EstimatorOptions):
    """Options of the ``mediapipe_tasks`` estimator (docs/pose-backends.md)."""

    model: str = "weights/pose_landmarker_full.task"
    """The model file (``.task``)."""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Checksum that the file must have; without one every file is taken. A changed file runs the
    pose again in any case."""
    mode: Literal["tracking", "static"] = "tracking"
    """``tracking`` looks where the body was in the last frame; ``static`` searches every frame
    anew."""
    min_detection_confidence: Confidence = 0.5
    """Smallest score of the detector for a body."""
    min_tracking_confidence: Confidence = 0.5
    """Smallest score of the keypoint model for a body; below it the frame has none, and the
    next one is searched anew."""

    @property
    def path(self) -> Path:
        """Place of the model file."""
        return Path(self.model).expanduser()

    def files(self) -> dict[str, Path]:
        """Return the model file."""
        return {"model": self.path}

    def expected_sha256(self) -> dict[str, str]:
        """Return the model file's checksum where it is given."""
        return {} if self.sha256 is None else {"model": self.sha256.lower()}

    def check(self) -> list[str]:
        """Find a model file that is not there, or is none."""
        where = "pose.options.model"
        if not self.path.is_file():
            return [f"{where}: there is no file {self.path}. {WHERE_TO_GET_IT}"]
        try:
            with zipfile.ZipFile(self.path) as bundle:
                names = bundle.namelist()
        except (zipfile.BadZipFile, OSError) as error:
            return [f"{where}: {self.path} is no .task file ({error}). {WHERE_TO_GET_IT}"]
        missing = [part for part in PARTS if part not in names]
        if missing:
            return [
                f"{where}: {self.path} is no pose landmarker, it lacks {', '.join(missing)} (it "
                f"has {', '.join(sorted(names)[:5]) or 'nothing'}). {WHERE_TO_GET_IT}"
            ]
        return []


Options = PoseLandmarkerOptions
