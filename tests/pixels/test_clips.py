"""Clips are the middle crop and the flow around it, and have a mirror image."""

import numpy as np
import pytest

from fidgety.errors import ConfigError
from fidgety.pixels.clips import PixelClips
from fidgety.pixels.packing import unpack_flow
from tests.pixels.synthetic import write_pixels


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (9, 4, 5, 3))
    flow = rng.integers(0, 256, (8, 4, 5, 2))
    write_pixels(tmp_path / "a.h5", crops, flow)
    return PixelClips(tmp_path / "a.h5", 6.0), crops, flow


def test_a_clip_is_the_middle_crop_and_all_of_its_flow(stored):
    clips, crops, flow = stored
    assert clips.n_fields == 8
    clip = clips.read(1, 7)
    assert clip.shape == (3 + 12, 4, 5)
    np.testing.assert_allclose(clip[:3], crops[4].transpose(2, 0, 1) / 255, atol=1e-6)
    wanted = unpack_flow(flow[1:7].astype(np.uint8)) / 20
    for k in range(6):
        np.testing.assert_allclose(clip[3 + 2 * k], wanted[k, :, :, 0], atol=1e-6)
        np.testing.assert_allclose(clip[4 + 2 * k], wanted[k, :, :, 1], atol=1e-6)
    assert np.abs(clip[3:]).max() <= 1


def test_the_mirror_image_moves_the_other_way(stored):
    clips, _, _ = stored
    clip, mirrored = clips.read(0, 6), clips.read(0, 6, mirrored=True)
    np.testing.assert_array_equal(mirrored[:3], clip[:3, :, ::-1])
    np.testing.assert_array_equal(mirrored[3::2], -clip[3::2, :, ::-1])
    np.testing.assert_array_equal(mirrored[4::2], clip[4::2, :, ::-1])


def test_another_rate_is_refused(stored):
    with pytest.raises(ConfigError, match=r"pixels\.rate_hz"):
        PixelClips(stored[0].pixels.path, 5.0)
