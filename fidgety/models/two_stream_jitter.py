"""Training clips of the two-stream network, varied at random: light, colours, the body's place.

Pictures of a few infants are learned by heart: their skin, the light, the very place where they
lie. Varied clips leave less to remember. (Hashimoto 2022 mirrors clips and does no more.) All
chance is PyTorch's own, which training seeds batch by batch.
"""

from __future__ import annotations

import torch

from fidgety.pixels.clips import CROP_CHANNELS


def _between(shape: tuple[int, ...], most: float, device: torch.device) -> torch.Tensor:
    """Return random numbers between -most and most; drawn on the processor, alike everywhere."""
    return (most * (2 * torch.rand(shape) - 1)).to(device)


def jitter_colours(picture: torch.Tensor, most: float) -> torch.Tensor:
    """Vary the light and the colours of pictures; black stays black.

    Parameters
    ----------
    picture : Tensor of shape (clip, 3, row, column)
        Between 0 and 1.
    most
        Largest change of the brightness and of each colour, as a share, and of the logarithm of
        gamma.

    Returns
    -------
    Tensor
        Between 0 and 1.
    """
    n, device = len(picture), picture.device
    gamma = torch.exp(_between((n, 1, 1, 1), most, device))
    gain = (1 + _between((n, 1, 1, 1), most, device)) * (1 + _between((n, 3, 1, 1), most, device))
    return (picture.clamp(0, 1) ** gamma * gain).clamp(0, 1)


def draw_places(n: int, most: float, device: torch.device) -> torch.Tensor:
    """Draw similarity transforms from a varied clip's places to those of the clip.

    Parameters
    ----------
    n
        Number of clips.
    most
        Largest turn in radians, change of size as a share, and shift as a share of half a side.

    Returns
    -------
    Tensor of shape (clip, 2, 3)
        Of places between -1 and 1, as :func:`torch.nn.functional.affine_grid` takes them.
    """
    angle, scale = _between((n,), most, device), 1 + _between((n,), most, device)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    shift = _between((n, 2), most, device)
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    return torch.stack(rows, dim=1)


def move_clips(clip: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Turn, scale and shift clips: the picture and the fields of flow, whose vectors turn as well.

    Parameters
    ----------
    clip : Tensor of shape (clip, 3 + 2 * L, row, column)
        Square; x and y of each field in turn.
    places : Tensor of shape (clip, 2, 3)
        Of :func:`draw_places`.

    Returns
    -------
    Tensor
        Of the same shape; black and still where the clip has nothing.
    """
    grid = torch.nn.functional.affine_grid(places, list(clip.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(clip, grid, align_corners=False)
    n, _, rows, columns = clip.shape
    flow = moved[:, CROP_CHANNELS:].reshape(n, -1, 2, rows, columns)
    # The places lead back into the clip, what moves there leads here.
    back = torch.linalg.inv(places[:, :, :2])
    flow = torch.einsum("nab,nfbrc->nfarc", back, flow).reshape(n, -1, rows, columns)
    return torch.cat([moved[:, :CROP_CHANNELS], flow], dim=1)


def jitter(clip: torch.Tensor, colours: float, place: float) -> torch.Tensor:
    """Vary clips; inputs as of the functions above, 0 leaves something as it is."""
    # Resampling in half precision would blur; what comes after casts for itself.
    with torch.autocast(clip.device.type, enabled=False):
        clip = clip.float()
        if place:
            clip = move_clips(clip, draw_places(len(clip), place, clip.device))
        if colours:
            picture = jitter_colours(clip[:, :CROP_CHANNELS], colours)
            clip = torch.cat([picture, clip[:, CROP_CHANNELS:]], dim=1)
    return clip
