"""The two-stream network of Hashimoto et al. 2022: what an infant looks like, and how it moves.

A ResNet over one RGB crop (spatial stream), another over the L fields of flow around it, x and y of
each as a channel (temporal stream). Late fusion: both feature maps side by side, a convolution of
1 x 1, global average pooling, a linear layer. With ResNet-50, L = 6 and three classes that are 55.4
million parameters, as published.

The ResNets are those of the library transformers (He et al. 2016, with the stride in the 3 x 3
convolution). ImageNet weights come from a file of the user's, by the names of torchvision or of
transformers; in the temporal stream the first convolution stays fresh, as its input is another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.two_stream_options import Streams
from fidgety.models.weight_file import read_weight_file

#: Kind of block, blocks a stage, channels of the last stage.
BACKBONES: Mapping[str, tuple[str, tuple[int, ...], int]] = {
    "resnet18": ("basic", (2, 2, 2, 2), 512),
    "resnet34": ("basic", (3, 4, 6, 3), 512),
    "resnet50": ("bottleneck", (3, 4, 6, 3), 2048),
    "resnet101": ("bottleneck", (3, 4, 23, 3), 2048),
}
#: Means and standard deviations of ImageNet, of red, green and blue between 0 and 1.
IMAGE_MEAN, IMAGE_SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
STEM = "embedder.embedder.convolution.weight"


def backbone(name: str, channels: int) -> nn.Module:
    """Build a ResNet that gives the last stage's feature map."""
    from transformers import ResNetConfig, ResNetModel

    kind, depths, width = BACKBONES[name]
    sizes = [width // 8, width // 4, width // 2, width]
    config = ResNetConfig(
        num_channels=channels,
        embedding_size=64,
        hidden_sizes=sizes,
        depths=list(depths),
        layer_type=kind,
        hidden_act="relu",
    )
    return ResNetModel(config)


class TwoStream(nn.Module):
    """The network.

    Parameters
    ----------
    n_classes
        Number of classes.
    n_fields
        L: fields of flow in a clip.
    name
        One of :data:`BACKBONES`.
    streams
        ``fusion``; ``spatial`` or ``temporal`` alone; ``sum`` of both streams' logits.
    stream_weight
        Of each stream's own loss in training, beside that of both.
    """

    def __init__(
        self,
        n_classes: int,
        n_fields: int = 6,
        name: str = "resnet50",
        streams: Streams = "fusion",
        stream_weight: float = 0.0,
    ) -> None:
        super().__init__()
        width = BACKBONES[name][2]
        self.streams, self.stream_weight = streams, stream_weight
        self.spatial = backbone(name, 3) if streams != "temporal" else None
        self.temporal = backbone(name, 2 * n_fields) if streams != "spatial" else None
        self.fuse = nn.Conv2d(2 * width, width, 1) if streams == "fusion" else None
        heads = 2 if streams == "sum" else 1
        self.heads = nn.ModuleList([nn.Linear(width, n_classes) for _ in range(heads)])
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN)[:, None, None], persistent=False)
        self.register_buffer("sd", torch.tensor(IMAGE_SD)[:, None, None], persistent=False)
        self.mean: torch.Tensor
        self.sd: torch.Tensor

    def maps(self, picture: torch.Tensor, flow: torch.Tensor) -> list[torch.Tensor]:
        """Return the feature maps of the streams that there are.

        Parameters
        ----------
        picture : Tensor of shape (clip, 3, row, column)
            RGB between 0 and 1.
        flow : Tensor of shape (clip, 2 * L, row, column)
            Between -1 and 1: pixels over the published limit; x and y of each field in turn.

        Returns
        -------
        list of Tensor of shape (clip, channel, row / 32, column / 32)
        """
        found = []
        if self.spatial is not None:
            found.append(self.spatial((picture - self.mean) / self.sd).last_hidden_state)
        if self.temporal is not None:
            found.append(self.temporal(flow).last_hidden_state)
        return found

    def logits_of(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Return the logits of clips, of shape (clip, class), from their feature maps."""
        if self.fuse is not None:
            maps = [self.fuse(torch.cat(maps, dim=1))]
        pooled = [one.mean(dim=(2, 3)) for one in maps]
        logits = [head(one) for head, one in zip(self.heads, pooled, strict=True)]
        return torch.stack(logits).sum(dim=0)

    def forward(self, picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
        """Return the logits of clips, of shape (clip, class); inputs as of :meth:`maps`."""
        return self.logits_of(self.maps(picture, flow))

    def losses(
        self, picture: torch.Tensor, flow: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """Return what is learned from clips, of shape (clip,).

        Cross-entropy; and, with ``stream_weight``, that of each stream by itself, which is what the
        very same fusion says with the other stream's maps at zero. (Networks of several streams
        generalise worse than the best of these if nothing holds the one back that overfits: Wang,
        Tran & Feiszli 2020, CVPR 12695.)
        """
        maps = self.maps(picture, flow)
        loss = nn.functional.cross_entropy(self.logits_of(maps).float(), target, reduction="none")
        if not self.stream_weight or len(maps) == 1:
            return loss
        for kept in range(len(maps)):
            own = [one if k == kept else torch.zeros_like(one) for k, one in enumerate(maps)]
            alone = self.logits_of(own).float()
            loss = loss + self.stream_weight * nn.functional.cross_entropy(
                alone, target, reduction="none"
            )
        return loss


_BLOCK = "encoder.stages.{stage}.layers.{1}."
_TORCHVISION: tuple[tuple[str, str], ...] = (
    (r"^conv1\.", "embedder.embedder.convolution."),
    (r"^bn1\.", "embedder.embedder.normalization."),
    (r"^layer(\d)\.(\d+)\.downsample\.0\.", _BLOCK + "shortcut.convolution."),
    (r"^layer(\d)\.(\d+)\.downsample\.1\.", _BLOCK + "shortcut.normalization."),
    (r"^layer(\d)\.(\d+)\.conv(\d)\.", _BLOCK + "layer.{part}.convolution."),
    (r"^layer(\d)\.(\d+)\.bn(\d)\.", _BLOCK + "layer.{part}.normalization."),
)


def rename(name: str) -> str:
    """Return transformers' name of a weight, be it called by torchvision's or its own."""
    name = name.removeprefix("resnet.").removeprefix("module.")
    for pattern, place in _TORCHVISION:
        found = re.match(pattern, name)
        if found:
            groups = found.groups()
            stage = int(groups[0]) - 1 if groups else 0
            part = int(groups[2]) - 1 if len(groups) > 2 else 0
            return place.format(*groups, stage=stage, part=part) + name[found.end() :]
    return name


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of weights (``.safetensors``, or PyTorch's), by transformers' names.

    Raises
    ------
    ConfigError
        If it cannot be read, or holds something else; nothing in it is executed.
    """
    found = read_weight_file(path, checkpoint=True)
    return {rename(name): value for name, value in found.items()}


def load_imagenet(network: TwoStream, weights: Mapping[str, torch.Tensor], source: str) -> int:
    """Put ImageNet weights into both streams.

    Parameters
    ----------
    network
        Receives them.
    weights
        Of :func:`read_weights`; the classifier of ImageNet is left out.
    source
        For messages.

    Returns
    -------
    int
        Number of weights that were taken, over both streams.

    Raises
    ------
    ConfigError
        If a weight of the backbone is missing or has another shape.
    """
    taken = 0
    for stream, fresh in ((network.spatial, ()), (network.temporal, (STEM,))):
        if stream is None:
            continue
        state = stream.state_dict()
        for name, value in state.items():
            if name in fresh or name.endswith("num_batches_tracked"):
                continue
            given = weights.get(name)
            if given is None or given.shape != value.shape:
                told = "is missing" if given is None else f"has the shape {tuple(given.shape)}"
                raise ConfigError(
                    f"{source}: {name} {told}, {tuple(value.shape)} is needed. Is it the file of "
                    "another backbone?"
                )
            state[name] = given
            taken += 1
        stream.load_state_dict(state)
    return taken
