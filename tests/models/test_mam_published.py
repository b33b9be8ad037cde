"""The published weights on the published clips, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fidgety.errors import ConfigError
from fidgety.features.pairwise import pairwise_differences
from fidgety.models.base import parse_model_options
from fidgety.models.mam import MamClip
from fidgety.models.mam_full import Mam
from fidgety.models.mam_published import SIZES, main, positions_of, published_network, read_clips


@pytest.fixture
def random_weights(tmp_path: Path) -> Path:
    """A file with the published file's names and sizes."""
    torch.manual_seed(3)
    network = MamClip.build(SIZES, 51, 2)
    names = {
        "encoder.difference.convolution.": "cnn.",
        "encoder.temporal.": "tcn.",
        "encoder.spatial_encoder.": "transformer_encoder.",
        "encoder.spatial_pool.score.": "attention.attention.",
        "classifier.": "linear.",
    }
    weights = {}
    for name, value in network.state_dict().items():
        for own, theirs in names.items():
            if name.startswith(own):
                weights[theirs + name.removeprefix(own)] = value
    path = tmp_path / "clip_only.pth"
    torch.save(weights, path)
    return path


def test_the_published_clips_get_the_published_outputs(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "mam"
    with np.load(folder / "segments.npz") as file:
        positions, offsets = file["positions"], file["offsets"]
    with np.load(folder / "released_clip_outputs.npz") as file:
        expected = {k: file[k] for k in file.files}
    # Recordings of the release whose clips lie every 60 frames; some, for the time it takes.
    some = sorted(set(expected["segment"].tolist()))[:6]
    parts = [positions[offsets[k] : offsets[k + 1]] for k in some]
    lengths = np.cumsum([0, *map(len, parts)])
    np.savez(tmp_path / "some.npz", positions=np.concatenate(parts), offsets=lengths)
    output = tmp_path / "scores.tsv"
    status = main(
        [
            "--weights", str(folder / "clip_only.pth"), "--clips", str(tmp_path / "some.npz"),
            "--output", str(output),
        ]
    )  # fmt: skip
    assert status == 0
    table = pd.read_csv(output, sep="\t").set_index(["recording", "start"])
    compared = 0
    for segment, start, logits in zip(
        expected["segment"], expected["start"], expected["logits"], strict=True
    ):
        if segment in some and (some.index(segment), start) in table.index:
            row = table.loc[(some.index(segment), start)]
            np.testing.assert_allclose(
                [row["logit_other"], row["logit_fidgety"]], logits, atol=1e-4
            )
            compared += 1
    assert compared >= 6


def test_both_forms_of_clips_are_one(random_weights: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(300, 17, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", positions=positions, offsets=[0, 300])
    clips = np.stack([pairwise_differences(positions[s : s + 240]) for s in (0, 60)])
    clips = clips.transpose(0, 2, 3, 4, 1)  # (clip, 17, 16, 3, 240)
    np.savez(tmp_path / "b.npz", clips=clips)
    recovered = positions_of(clips)
    np.testing.assert_allclose(recovered[0], positions[:240] - positions[:240, :1], atol=1e-5)
    tables = []
    for name in ("a", "b"):
        main(["--weights", str(random_weights), "--clips", str(tmp_path / f"{name}.npz"),
              "--output", str(tmp_path / f"{name}.tsv")])  # fmt: skip
        tables.append(pd.read_csv(tmp_path / f"{name}.tsv", sep="\t"))
    np.testing.assert_allclose(tables[0].iloc[:, 2:], tables[1].iloc[:, 2:], atol=1e-5)
    assert list(tables[0]["start"]) == [0, 60]
    p = tables[0]["probability_fidgety"]
    assert p.between(0, 1).all()


def test_they_are_refused_for_own_poses_with_the_reason() -> None:
    for system in (MamClip, Mam):
        with pytest.raises(ConfigError, match="on your own poses their output"):
            parse_model_options(system, {"published_weights": "clip_only.pth"})


def test_files_that_are_no_published_clips_are_named(
    random_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "features.h5"
    own.write_bytes(b"\x89HDF\r\n\x1a\n")
    assert main(["--weights", str(random_weights), "--clips", str(own)]) == 1
    assert "on your own poses" in capsys.readouterr().err
    np.savez(tmp_path / "x.npz", something=[1])
    assert main(["--weights", str(random_weights), "--clips", str(tmp_path / "x.npz")]) == 1
    assert "neither clips nor positions" in capsys.readouterr().err
    np.savez(tmp_path / "y.npz", clips=np.zeros((2, 17, 17, 3, 240)))
    with pytest.raises(ConfigError, match=r"not \(clip, 17, 16, 3, 240\)"):
        list(read_clips(tmp_path / "y.npz", 60))
    pixels = np.random.default_rng(0).normal(400, 50, size=(300, 17, 3))
    np.savez(tmp_path / "z.npz", positions=pixels, offsets=[0, 300])
    with pytest.raises(ConfigError, match=r"standard deviations are .*, not near 1"):
        list(read_clips(tmp_path / "z.npz", 60))
    for content in (b"", b"PK\x03\x04 half a zip"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ConfigError, match="no npz file"):
            list(read_clips(tmp_path / "bad.npz", 60))
    np.savez(tmp_path / "objects.npz", clips=np.array([{}], dtype=object))
    with pytest.raises(ConfigError, match="no npz file"):
        list(read_clips(tmp_path / "objects.npz", 60))
    torch.save({"epoch": 3, "state_dict": {}}, tmp_path / "checkpoint.pth")
    with pytest.raises(ConfigError, match="something else than weights"):
        published_network(tmp_path / "checkpoint.pth")
    text = tmp_path / "weights.pth"
    text.write_text("nothing")
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        published_network(text)
