"""Speed and memory of MAM's clip encoder: ``python -m benchmarks.mam_speed``.

Our clip encoder (``fidgety/models/mam.py``) and, beside it, a plain one, written in this file as
the paper and its code describe it: the 17 x 16 x 3 signed differences of every clip are made,
every clip goes through the network by itself, layers are PyTorch's own (``nn.Conv2d``,
``nn.TransformerEncoder``). Both have the same weights; their outputs and gradients are compared
before anything is timed.

Two pieces of work, in turns in the same process:

scoring
    A video of 5 minutes (7,500 frames): 122 instances of 240 frames every 60 frames, in
    evaluation mode. The plain one takes 64 clips at a time, as in training, and 4, which is
    fastest of 1 to 122 (larger intermediates are cleared by the system every time).
training
    A step of 64 clips (forward, backward, Adam): 32 reference clips, and 32 instances, 16 of each
    of two bags, drawn at random from their videos.

Time is the processor's own, all threads together, so that other programs count less. Threads that
wait for each other must not spin, or a busy machine would seem to do more work:
``OMP_WAIT_POLICY=passive`` is set. Peak memory is the growth of the resident set in a process of
its own. Operations are the multiply-adds of matrix products; beside them stands what a large
matrix product reaches on this machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fidgety.models.mam import MamClip, MamClipNetwork
from fidgety.models.mam_options import MamClipOptions

JOINTS, DIMENSIONS, WIDTH = 17, 3, 64
FRAMES, CLIP, STEP = 7500, 240, 60
CLIPS_AT_A_TIME = (64, 4)


class PlainPool(nn.Module):
    """Attention pooling of the second last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(WIDTH, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool."""
        return (torch.softmax(self.score(x), dim=-2) * x).sum(dim=-2)


class PlainMam(nn.Module):
    """MAM's clip branch as published."""

    def __init__(self, dropout: float, layer_dropout: float) -> None:
        super().__init__()
        self.cnn = nn.Conv2d(DIMENSIONS, WIDTH, (1, JOINTS - 1))
        self.tcn = nn.Conv2d(WIDTH, WIDTH, (10, 1))
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 256, layer_dropout, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.pool = PlainPool()
        self.linear = nn.Linear(WIDTH, 2)
        self.dropout = nn.Dropout(dropout)
        other = torch.tensor([[j for j in range(JOINTS) if j != i] for i in range(JOINTS)])
        self.register_buffer("other", other, persistent=False)
        self.other: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify clips, ``x`` of shape (clip, frame, joint * dimension)."""
        n, frames = x.shape[:2]
        p = x.reshape(n, frames, JOINTS, DIMENSIONS).permute(0, 3, 1, 2)
        difference = p[..., :, None] - p[..., self.other]  # (clip, 3, frame, 17, 16)
        h = self.cnn(difference.flatten(2, 3)).squeeze(-1).unflatten(2, (frames, JOINTS))
        h = self.dropout(torch.relu(h))  # (clip, 64, frame, 17)
        for _ in range(2):
            h = self.dropout(torch.relu(self.tcn(h)))
        frames = h.shape[2]
        h = h.permute(0, 2, 3, 1).reshape(n * frames, JOINTS, WIDTH)
        h = self.pool(self.transformer(h)).reshape(n, frames, WIDTH)
        h = self.dropout(h + sinusoids(frames).to(h.device))
        return self.linear(self.pool(self.transformer(h)))


def sinusoids(frames: int) -> torch.Tensor:
    """Position code of shape (frame, width)."""
    place = torch.arange(frames)[:, None].float()
    scale = torch.exp(torch.arange(0, WIDTH, 2).float() * (-math.log(10000.0) / WIDTH))
    code = torch.zeros(frames, WIDTH)
    code[:, 0::2] = torch.sin(place * scale)
    code[:, 1::2] = torch.cos(place * scale)
    return code


def networks(dropout: float | None = None) -> tuple[PlainMam, MamClipNetwork]:
    """Make both networks with the same weights.

    Parameters
    ----------
    dropout
        Of all layers; None takes the published ones (0.6, in the Transformer 0.1).
    """
    torch.manual_seed(0)
    options = MamClipOptions(frame_stride=1, dropout=0.6 if dropout is None else dropout)
    plain = PlainMam(options.dropout, 0.1 if dropout is None else dropout)
    ours = MamClip.build(options, JOINTS * DIMENSIONS, 2)
    assert isinstance(ours, MamClipNetwork)
    for layer in ours.modules():
        if dropout is not None and isinstance(layer, nn.TransformerEncoderLayer | nn.Dropout):
            for module in (m for m in layer.modules() if isinstance(m, nn.Dropout)):
                module.p = dropout
        if dropout is not None and isinstance(layer, nn.MultiheadAttention):
            layer.dropout = dropout
    encoder = ours.encoder
    assert encoder.temporal is not None
    pairs: list[tuple[nn.Module, nn.Module]] = [
        (encoder.difference.convolution, plain.cnn),
        (encoder.temporal, plain.tcn),
        (encoder.spatial_encoder, plain.transformer),
        (encoder.spatial_pool, plain.pool),
        (ours.classifier, plain.linear),
    ]
    for mine, theirs in pairs:
        mine.load_state_dict(theirs.state_dict())
    return plain, ours


def video(seed: int) -> torch.Tensor:
    """Make a series of the size of a standardised 5-minute video: (frame, 51)."""
    rng = np.random.default_rng(seed)
    walk = rng.normal(size=(FRAMES, JOINTS * DIMENSIONS)).cumsum(axis=0)
    return torch.from_numpy((walk - walk.mean(axis=0)) / walk.std(axis=0)).float()


def score_plain(
    network: PlainMam, x: torch.Tensor, starts: torch.Tensor, at_a_time: int
) -> torch.Tensor:
    """Return the logits of a video's instances, each from its own clip."""
    found = []
    for some in starts.split(at_a_time):
        found.append(network(torch.stack([x[s : s + CLIP] for s in some.tolist()])))
    return torch.cat(found)


def score_ours(network: MamClipNetwork, x: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Return the logits of a video's instances, as prediction does."""
    zeros = torch.zeros_like(starts)
    return network(x[None], zeros, starts, zeros, n_bags=1).instance_logits


def training_clips(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return 64 clips and their classes: 32 reference clips, 16 instances of each of two bags."""
    rng = np.random.default_rng(seed)
    clips = []
    for recording in range(34):
        x = video(seed * 100 + recording)
        wanted = 1 if recording < 32 else 16
        for start in rng.choice((FRAMES - CLIP) // STEP + 1, wanted, replace=False) * STEP:
            clips.append(x[start : start + CLIP])
    return torch.stack(clips), torch.from_numpy(rng.integers(0, 2, len(clips)))


def loss_plain(network: PlainMam, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch of clips."""
    return nn.functional.cross_entropy(network(x), label)


def loss_ours(network: MamClipNetwork, x: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the loss of a batch of clips."""
    return nn.functional.cross_entropy(network.clip_logits(x), label)


def works(task: str) -> dict[str, Callable[[], object]]:
    """Return the pieces of work of a task: plain ones, and ours."""
    plain, ours = networks()
    if task == "scoring":
        x, starts = video(0), torch.arange(0, FRAMES - CLIP + 1, STEP)

        def scoring(score: Callable[..., torch.Tensor], network: nn.Module) -> torch.Tensor:
            network.eval()
            with torch.inference_mode():
                return score(network, x, starts)

        found: dict[str, Callable[[], object]] = {
            f"plain, {n} clips at a time": partial(
                scoring, partial(score_plain, at_a_time=n), plain
            )
            for n in CLIPS_AT_A_TIME
        }
        return {**found, "ours": lambda: scoring(score_ours, ours)}
    clips, label = training_clips(0)

    def training(loss: Callable[..., torch.Tensor], network: nn.Module) -> Callable[[], object]:
        optimiser = torch.optim.Adam(network.train().parameters(), 1e-4)

        def step() -> None:
            optimiser.zero_grad()
            loss(network, clips, label).backward()
            optimiser.step()

        return step

    return {"plain": training(loss_plain, plain), "ours": training(loss_ours, ours)}


def agreement() -> dict[str, float]:
    """Return the largest differences between the two, without dropout."""
    plain, ours = networks(dropout=0.0)
    x, starts = video(0), torch.arange(0, FRAMES - CLIP + 1, STEP)
    with torch.inference_mode():
        wanted = score_plain(plain.eval(), x, starts, 4)
        logits = (score_ours(ours.eval(), x, starts) - wanted).abs().max()
    # In double precision: oneDNN's gradient of the plain first convolution is wrong in single
    # precision on some processors (PyTorch 2.13, AVX-512, kernel 1 x 16 over 3 channels).
    clips, label = (part[::8] for part in training_clips(0))
    plain.double()
    loss_plain(plain.train(), clips.double(), label).backward()
    loss_ours(ours.train(), clips, label).backward()
    theirs, mine = (
        {rename(n): p.grad.double() for n, p in network.named_parameters() if p.grad is not None}
        for network in (plain, ours)
    )
    assert mine.keys() == theirs.keys()
    scale = max(float(g.abs().max()) for g in mine.values())
    worst = max(float((mine[n] - g).abs().max()) for n, g in theirs.items())
    return {"logits": float(logits), "gradients, of the largest gradient": worst / scale}


def rename(name: str) -> str:
    """Return the plain network's name of our parameter."""
    for ours, plain in (
        ("encoder.difference.convolution.", "cnn."),
        ("encoder.temporal.", "tcn."),
        ("encoder.spatial_encoder.", "transformer."),
        ("encoder.spatial_pool.", "pool."),
        ("classifier.", "linear."),
    ):
        if name.startswith(ours):
            return plain + name.removeprefix(ours)
    return name


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_rate(rounds: int = 5) -> float:
    """Return the multiply-adds a second of a large matrix product."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    out = torch.empty(2048, 2048)
    return float(2048**3 / min(seconds(lambda: torch.mm(a, b, out=out)) for _ in range(rounds)))


def operations(clips: int, frames: int, shared: bool) -> float:
    """Return the multiply-adds of a forward pass over clips.

    Parameters
    ----------
    clips
        Instances.
    frames
        Frames that are embedded for them, after the temporal convolutions.
    shared
        Our way of the differences: a product with 51 positions instead of 48 differences.
    """
    tokens = frames * JOINTS
    first = tokens * (JOINTS if shared else JOINTS - 1) * DIMENSIONS * WIDTH
    convolutions = 2 * tokens * 10 * WIDTH**2
    window = CLIP - 18

    def transformer(tokens: int, others: int) -> int:
        layer = 4 * WIDTH**2 + 2 * WIDTH * 256 + 2 * others * WIDTH
        return tokens * (2 * layer + 64 * WIDTH + 32 * 64 + 32 + WIDTH)

    spatial, temporal = transformer(tokens, JOINTS), transformer(clips * window, window)
    return first + convolutions + spatial + temporal


def all_operations(task: str) -> dict[str, float]:
    """Return the multiply-adds of a task; going back takes twice as many as going forth.

    Ours goes forth twice through the Transformers in training. Frames at the ends of clips that
    only the convolutions need are not counted.
    """
    window = CLIP - 18
    if task == "scoring":
        clips = (FRAMES - CLIP) // STEP + 1
        return {
            "plain": operations(clips, clips * window, False),
            "ours": operations(clips, FRAMES - 18, True),
        }
    plain = operations(64, 64 * window, False)
    tokens = 64 * window * JOINTS
    again = operations(64, 64 * window, True) - tokens * (51 * WIDTH + 20 * WIDTH**2)
    return {"plain": 3 * plain, "ours": 3 * operations(64, 64 * window, True) + again}


def growth(task: str, which: str, threads: int) -> float:
    """Return the peak of memory above the start, in GB, of a piece of work in its own process."""
    command = [sys.executable, __file__, "--memory", task, which, "--threads", str(threads)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(found.stdout))


def peak_memory() -> int:
    """Return the most bytes that this process ever had in memory (of this program alone)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024


def measure_memory(task: str, which: str) -> None:
    """Do a piece of work twice and print the growth of the peak in GB."""
    work = works(task)[which]
    torch.randn(256, 256) @ torch.randn(256, 256)
    start = peak_memory()
    for _ in range(2):
        work()
    print(json.dumps((peak_memory() - start) / 1e9))


def _line(name: str, values: NDArray[np.float64], unit: str) -> str:
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"    {name:<32}{middle:8.2f} {unit:<8}(least {low:.2f}, most {high:.2f})"


def compare(task: str, rounds: int, threads: int) -> None:
    """Time both in turns and print."""
    torch.set_num_threads(threads)
    both = works(task)
    for work in both.values():
        work()
    taken = np.array([[seconds(work) for work in both.values()] for _ in range(rounds)])
    least, limit = taken.min(axis=0), peak_rate()
    counts = all_operations(task)
    print(f"{task}, {threads} thread(s), {rounds} rounds in turns; median, CPU seconds")
    for name, column, low in zip(both, taken.T, least, strict=True):
        print(_line(name, column, "s"))
        if name != "ours":
            print(_line("  over ours", column / taken[:, -1], "times"))
            print(f"    {'  least over least':<32}{low / least[-1]:8.2f} times")
        rate = counts[name.split(",")[0]] / low
        print(
            f"    {'  operations':<32}{rate * low / 1e9:8.1f} G       "
            f"({2 * rate / 1e9:.0f} GFLOP/s, {rate / limit:.0%} of {2 * limit / 1e9:.0f})"
        )
        print(f"    {'  memory above the start':<32}{growth(task, name, threads):8.2f} GB")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds, both in turns")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tasks", nargs="+", default=["scoring", "training"])
    parser.add_argument("--memory", nargs=2, metavar=("TASK", "WHICH"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads[0])
    if args.memory:
        measure_memory(*args.memory)
        return
    for name, worst in agreement().items():
        print(f"largest difference of {name}: {worst:.1e}")
    for task in args.tasks:
        for threads in args.threads:
            compare(task, args.rounds, threads)


if __name__ == "__main__":
    main()
