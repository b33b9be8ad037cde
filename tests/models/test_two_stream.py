"""The two-stream network: shapes, sizes, fusion, weights from a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.base import count_parameters, weights_of
from fidgety.models.two_stream import TwoStreamSystem
from fidgety.models.two_stream_network import (
    BACKBONES,
    STEM,
    TwoStream,
    backbone,
    load_imagenet,
    read_weights,
    rename,
)
from fidgety.models.two_stream_options import TwoStreamOptions


def clips(n: int = 2, side: int = 64, fields: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    picture = torch.rand(n, 3, side, side, generator=generator)
    flow = torch.rand(n, 2 * fields, side, side, generator=generator) * 2 - 1
    return picture, flow


def test_the_published_sizes() -> None:
    network = TwoStream(3).eval()
    assert count_parameters(network.spatial) == 23_508_032
    assert count_parameters(network.temporal) == 23_536_256
    assert count_parameters(network) == 55_441_091  # 55.4 million
    with torch.inference_mode():
        maps = network.maps(*clips(1, side=224))
    assert [tuple(m.shape) for m in maps] == [(1, 2048, 7, 7)] * 2


@pytest.mark.parametrize("streams", ["fusion", "spatial", "temporal", "sum"])
def test_every_combination_of_streams_gives_logits_and_gradients(streams) -> None:
    torch.manual_seed(0)
    network = TwoStream(3, name="resnet18", streams=streams)
    picture, flow = clips()
    picture.requires_grad_()
    flow.requires_grad_()
    logits = network(picture, flow)
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert (picture.grad is not None) == (streams != "temporal")
    assert (flow.grad is not None) == (streams != "spatial")
    assert all(p.grad is not None for p in network.parameters())


def test_fusion_is_one_linear_layer_on_the_pooled_maps() -> None:
    """There is no nonlinearity between the 1 x 1 convolution and the linear layer."""
    torch.manual_seed(0)
    network = TwoStream(3, name="resnet18").double().eval()
    picture, flow = (x.double() for x in clips())
    with torch.inference_mode():
        pooled = torch.cat(network.maps(picture, flow), dim=1).mean(dim=(2, 3))
        head, fuse = network.heads[0], network.fuse
        weight = head.weight @ fuse.weight[:, :, 0, 0]
        bias = head.weight @ fuse.bias + head.bias
        torch.testing.assert_close(
            network(picture, flow), pooled @ weight.T + bias, atol=1e-6, rtol=1e-6
        )


def test_summed_logits_are_those_of_each_stream() -> None:
    torch.manual_seed(0)
    network = TwoStream(3, name="resnet18", streams="sum").eval()
    picture, flow = clips()
    with torch.inference_mode():
        spatial, temporal = (m.mean(dim=(2, 3)) for m in network.maps(picture, flow))
        expected = network.heads[0](spatial) + network.heads[1](temporal)
        torch.testing.assert_close(network(picture, flow), expected)


@pytest.mark.parametrize("streams", ["fusion", "sum"])
def test_each_stream_learns_from_its_own_share_of_the_logits(streams) -> None:
    torch.manual_seed(0)
    network = TwoStream(3, name="resnet18", streams=streams, stream_weight=0.5).double().eval()
    picture, flow = (x.double() for x in clips())
    target = torch.tensor([2, 0])
    with torch.inference_mode():
        spatial, temporal = (m.mean(dim=(2, 3)) for m in network.maps(picture, flow))
        if streams == "fusion":
            weight = network.heads[0].weight @ network.fuse.weight[:, :, 0, 0]
            bias = network.heads[0].weight @ network.fuse.bias + network.heads[0].bias
            of_spatial, of_temporal = weight.split(512, dim=1)
        else:
            of_spatial, of_temporal = (head.weight for head in network.heads)
            bias = network.heads[0].bias + network.heads[1].bias
        shares = [spatial @ of_spatial.T, temporal @ of_temporal.T]
        entropy = partial(torch.nn.functional.cross_entropy, target=target, reduction="none")
        both, alone = entropy(sum(shares) + bias), [entropy(s + bias) for s in shares]
        torch.testing.assert_close(network(picture, flow), sum(shares) + bias)
        found = network.losses(picture, flow, target).double()
        torch.testing.assert_close(found, both + 0.5 * (alone[0] + alone[1]), rtol=1e-5, atol=1e-5)
        network.stream_weight = 0.0
        found = network.losses(picture, flow, target).double()
        torch.testing.assert_close(found, both, rtol=1e-5, atol=1e-5)


def torchvision_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Name weights as torchvision's ResNet does, written out here by hand."""
    found = {}
    for name, value in state.items():
        parts = name.split(".")
        kind = {"convolution": "conv", "normalization": "bn"}
        if parts[0] == "embedder":
            found[f"{kind[parts[2]]}1.{parts[3]}"] = value
            continue
        stage, block = int(parts[2]) + 1, parts[4]
        if parts[5] == "shortcut":
            place = {"convolution": 0, "normalization": 1}[parts[6]]
            found[f"layer{stage}.{block}.downsample.{place}.{parts[7]}"] = value
        else:
            found[f"layer{stage}.{block}.{kind[parts[7]]}{int(parts[6]) + 1}.{parts[8]}"] = value
    return found


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_weights_by_torchvisions_names_land_in_both_streams(tmp_path: Path, name: str) -> None:
    torch.manual_seed(5)
    source = backbone(name, 3)
    for buffer in source.buffers():
        if buffer.dtype.is_floating_point:
            buffer.uniform_(0.5, 1.5)
    own = torchvision_names(source.state_dict())
    # Some keys as torchvision's file has them.
    assert {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight"} <= set(own)
    assert "layer4.1.conv2.weight" in own
    torch.save({**own, "fc.weight": torch.zeros(1000, 4)}, tmp_path / "imagenet.pth")
    network = TwoStream(3, name=name)
    before = network.temporal.state_dict()[STEM].clone()
    taken = load_imagenet(network, read_weights(tmp_path / "imagenet.pth"), "imagenet.pth")
    assert taken > 100
    for key, value in source.state_dict().items():
        torch.testing.assert_close(network.spatial.state_dict()[key], value)
        if key != STEM:
            torch.testing.assert_close(network.temporal.state_dict()[key], value)
    torch.testing.assert_close(network.temporal.state_dict()[STEM], before)
    # By transformers' own names, and as a safetensors file, too.
    save_file(dict(source.state_dict()), tmp_path / "own.safetensors")
    again = read_weights(tmp_path / "own.safetensors")
    assert set(again) == set(source.state_dict())


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    torch.save(torchvision_names(backbone("resnet18", 3).state_dict()), tmp_path / "18.pth")
    with pytest.raises(ConfigError, match="another backbone"):
        load_imagenet(TwoStream(3, name="resnet34"), read_weights(tmp_path / "18.pth"), "18.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_weights(tmp_path / "text.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match="something else than weights"):
        read_weights(tmp_path / "other.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_weights(tmp_path / "module.pth")


def test_a_model_starts_from_the_users_weights_and_comes_back_without_them(tmp_path: Path) -> None:
    torch.manual_seed(3)
    given = backbone("resnet18", 3).state_dict()
    file = tmp_path / "imagenet.safetensors"
    save_file({k: v.contiguous() for k, v in given.items()}, file)
    options = TwoStreamOptions(backbone="resnet18", weights=str(file))
    assert options.files() == {"weights": file}
    network = TwoStreamSystem.build(options, 0, 3)
    TwoStreamSystem.start(options, network)
    for stream in (network.spatial, network.temporal):
        name = "encoder.stages.0.layers.0.layer.0.convolution.weight"
        assert torch.equal(stream.state_dict()[name], given[name])
    kept = weights_of(network)
    file.unlink()
    again = TwoStreamSystem.restore(options, 0, 3, kept).eval()
    picture, flow = clips()
    with torch.inference_mode():
        told = again(torch.cat([picture, flow], dim=1))
        assert torch.equal(told, network.eval()(torch.cat([picture, flow], dim=1)))


def test_the_published_preset() -> None:
    chosen = TwoStreamOptions.model_validate({"preset": "hashimoto2022", "clips": 3})
    assert chosen.clips == 3
    assert (chosen.n_fields, chosen.step_s, chosen.learning_rate) == (6, 5.0, 1e-5)
    plan = TwoStreamSystem.training(chosen)
    assert (plan.optimiser.kind, plan.batch_size, plan.patience) == ("adamw", 64, 10)
    assert TwoStreamOptions(window_s=5.0).n_fields == 30
    with pytest.raises(ValueError, match="window_s"):
        TwoStreamOptions(window_s=0.01)


def test_pictures_that_are_too_small_are_named() -> None:
    network = TwoStreamSystem.build(TwoStreamOptions(backbone="resnet18"), 0, 2)
    with pytest.raises(ConfigError, match=r"pixels\.size_px"):
        network(torch.rand(2, 15, 32, 32))


def test_names() -> None:
    assert rename("layer3.5.bn3.running_mean") == (
        "encoder.stages.2.layers.5.layer.2.normalization.running_mean"
    )
    assert rename("module.conv1.weight") == STEM
    assert rename("resnet.embedder.embedder.convolution.weight") == STEM
    assert set(BACKBONES) == {"resnet18", "resnet34", "resnet50", "resnet101"}
