"""A pose landmarker's ``.task`` file, made of the models that the mediapipe wheel carries.

The models lack the metadata that Tasks reads (how pictures are scaled): it is written by
mediapipe's own writer. The scales are those of the ``mediapipe`` estimator's graphs: the
detector sees -1 to 1, the keypoint model 0 to 1.
"""

from __future__ import annotations

from pathlib import Path

import mediapipe
from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter
from mediapipe.tasks.python.metadata.metadata_writers.model_asset_bundle_utils import (
    create_model_asset_bundle,
)

MODELS = {
    "pose_detector.tflite": ("pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}


def write_task_file(path: Path) -> Path:
    """Write the bundle and return its path."""
    folder = Path(mediapipe.__file__).parent / "modules"
    parts = {}
    for name, (source, mean, deviation) in MODELS.items():
        writer = MetadataWriter(bytearray((folder / source).read_bytes()))
        writer.add_general_info(name).add_image_input([mean], [deviation])
        parts[name] = bytes(writer.populate()[0])
    create_model_asset_bundle(parts, str(path))
    return path
