"""Torch data sets over windows: instances for themselves, and bags of instances.

Nothing is copied until a batch is put together: items are views of the series. All chance
(order, mirroring, which part of a bag) comes from samplers that are seeded by epoch, so training
that was interrupted goes on exactly as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, Sampler

from fidgety.datasets.series import Series
from fidgety.datasets.windows import Windows

CPU = torch.device("cpu")


class Draw(NamedTuple):
    """What a sampler asks a data set for.

    Parameters
    ----------
    item
        Instance or bag.
    mirrored
        With left and right exchanged.
    first, length
        Of a bag: the run of instances to take; a negative length takes all.
    chosen
        Of a bag: these instances and no others, each with frames of its own.
    """

    item: int
    mirrored: bool = False
    first: int = 0
    length: int = -1
    chosen: tuple[int, ...] | None = None


def _view(series: Series, mirrored: bool, start: int, stop: int) -> torch.Tensor:
    return torch.from_numpy(series.window(start, stop, mirrored))


#: Series are put on a GPU if they take no more than this share of its free memory.
DEVICE_SHARE = 0.5


class Frames:
    """Series where they are learned from: in memory, or once and for all on a GPU.

    Parameters
    ----------
    series
        Standardised series.
    device
        Where to. Series that would fill a GPU stay in memory; batches then travel one by one.
    """

    def __init__(self, series: Sequence[Series], device: torch.device) -> None:
        self.series = series
        self.on_device: dict[tuple[int, bool], torch.Tensor] = {}
        if device.type != "cuda":
            return
        ways = [(k, False, s.values) for k, s in enumerate(series)]
        ways += [(k, True, s.mirrored) for k, s in enumerate(series) if s.mirrored is not None]
        free, _ = torch.cuda.mem_get_info(device)
        if sum(values.nbytes for _, _, values in ways) <= DEVICE_SHARE * free:
            for k, mirrored, values in ways:
                self.on_device[k, mirrored] = torch.nan_to_num(
                    torch.from_numpy(values).to(device), nan=0.0
                )

    def view(self, index: int, mirrored: bool, start: int, stop: int) -> torch.Tensor:
        """Return a stretch of a series, of shape (frame, feature), zeros where missing."""
        kept = self.on_device.get((index, mirrored))
        if kept is not None:
            return kept[start:stop]
        return torch.nan_to_num(_view(self.series[index], mirrored, start, stop), nan=0.0)


class InstanceData(Dataset):
    """Instances with a target each.

    Parameters
    ----------
    series
        Standardised series.
    windows
        Complete windows.
    targets : ndarray of shape (instance,)
        Index of the class.
    """

    def __init__(
        self, series: Sequence[Series], windows: Windows, targets: NDArray[np.int64]
    ) -> None:
        if len(windows) != len(targets):
            raise ValueError(f"{len(windows)} windows and {len(targets)} targets")
        self.series, self.windows, self.targets = series, windows, targets

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, draw: Draw) -> tuple[torch.Tensor, int]:
        """Return (values of shape (frame, feature), or a clip of pictures; target)."""
        start = int(self.windows.start[draw.item])
        series = self.series[int(self.windows.series[draw.item])]
        values = _view(series, draw.mirrored, start, start + self.windows.length)
        return values, int(self.targets[draw.item])


class BagBatch(NamedTuple):
    """Bags whose overlapping instances share their frames.

    Parameters
    ----------
    x : Tensor of shape (segment, frame, feature)
        Stretches of recordings, zeros where missing or behind a shorter stretch's end.
    segment, start, bag : Tensor of shape (instance,)
        Where the instance lies: its segment, its first frame there, its bag.
    target : Tensor of shape (bag,) or (instance,)
        Index of the class, of whatever carries the label.
    info : Tensor of shape (bag, value), optional
        Characteristics of the infants, for models that read them.
    """

    x: torch.Tensor
    segment: torch.Tensor
    start: torch.Tensor
    bag: torch.Tensor
    target: torch.Tensor
    info: torch.Tensor | None = None


class BagItem(NamedTuple):
    """One bag: views of its segments, and its instances in them."""

    segments: list[torch.Tensor]
    segment: NDArray[np.int64]
    start: NDArray[np.int64]
    target: NDArray[np.int64]
    info: NDArray[np.float64] | None = None


class BagData(Dataset):
    """Bags of instances; a target each bag, or each instance of it.

    Parameters
    ----------
    series
        Standardised series.
    windows
        Complete windows.
    bags
        For each bag the indices of its windows, in order.
    targets : ndarray of shape (bag,) or (window,)
        Index of the class.
    by_instance
        Whether the targets are the windows'.
    device
        Where the frames are learned from.
    """

    def __init__(
        self,
        series: Sequence[Series],
        windows: Windows,
        bags: Sequence[NDArray[np.int64]],
        targets: NDArray[np.int64],
        by_instance: bool = False,
        device: torch.device = CPU,
    ) -> None:
        if len(targets) != len(windows if by_instance else bags):
            raise ValueError(f"{len(bags)} bags, {len(windows)} windows, {len(targets)} targets")
        self.by_instance, self.frames = by_instance, Frames(series, device)
        self.series, self.windows, self.bags, self.targets = series, windows, bags, targets

    def __len__(self) -> int:
        return len(self.bags)

    def __getitem__(self, draw: Draw) -> BagItem:
        """Return the segments and instances of a run, or of a choice, of the bag's instances."""
        if draw.chosen is not None:
            return self._apart(draw)
        stop = None if draw.length < 0 else draw.first + draw.length
        index = self.bags[draw.item][draw.first : stop]
        source, start = self.windows.series[index], self.windows.start[index]
        segments: list[torch.Tensor] = []
        segment = np.empty(len(index), dtype=np.int64)
        local = np.empty(len(index), dtype=np.int64)
        for k, s in enumerate(np.unique(source)):
            own = source == s
            first, last = int(start[own].min()), int(start[own].max()) + self.windows.length
            segments.append(self.frames.view(int(s), draw.mirrored, first, last))
            segment[own], local[own] = k, start[own] - first
        return BagItem(segments, segment, local, self._target(draw, index), self._info(draw))

    def _target(self, draw: Draw, index: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.targets[index if self.by_instance else [draw.item]]

    def _info(self, draw: Draw) -> NDArray[np.float64] | None:
        """Return the mean of the characteristics of the bag's recordings, all of them."""
        found = [
            self.series[int(s)].info for s in np.unique(self.windows.series[self.bags[draw.item]])
        ]
        known = [info for info in found if info is not None]
        return np.mean(known, axis=0) if known else None

    def _apart(self, draw: Draw) -> BagItem:
        """Return instances that share no frames: one segment each."""
        index = self.bags[draw.item][list(draw.chosen or ())]
        length = self.windows.length
        places = zip(self.windows.series[index], self.windows.start[index], strict=True)
        segments = [
            self.frames.view(int(s), draw.mirrored, int(f), int(f) + length) for s, f in places
        ]
        return BagItem(
            segments,
            np.arange(len(index)),
            np.zeros(len(index), dtype=np.int64),
            self._target(draw, index),
            self._info(draw),
        )


def collate_bags(items: Sequence[BagItem]) -> BagBatch:
    """Put bags together; shorter segments are followed by zeros, which no instance reaches."""
    views = [view for item in items for view in item.segments]
    longest = max(len(view) for view in views)
    x = torch.zeros(len(views), longest, views[0].shape[1], device=views[0].device)
    for row, view in zip(x, views, strict=True):
        row[: len(view)] = view
    info = [item.info for item in items if item.info is not None]
    offsets = np.cumsum([0, *[len(item.segments) for item in items]])
    return BagBatch(
        x,
        torch.from_numpy(
            np.concatenate([i.segment + o for i, o in zip(items, offsets, strict=False)])
        ),
        torch.from_numpy(np.concatenate([item.start for item in items])),
        torch.from_numpy(np.repeat(np.arange(len(items)), [len(item.start) for item in items])),
        torch.from_numpy(np.concatenate([item.target for item in items])),
        torch.from_numpy(np.stack(info)).float() if len(info) == len(items) else None,
    )


class _EpochBatches(Sampler[list[Draw]]):
    """Batches that depend on the seed and the epoch alone; training calls ``set_epoch``."""

    def __init__(self, seed: int, mirror: bool) -> None:
        self.seed, self.mirror, self.epoch = seed, mirror, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self.epoch = epoch

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch])

    def _flip(self, rng: np.random.Generator) -> bool:
        return bool(rng.random() < 0.5) if self.mirror else False


class ShuffledBatches(_EpochBatches):
    """Every instance once an epoch, in a new order.

    Parameters
    ----------
    n
        Number of instances.
    size
        Instances a batch; the last one may be smaller.
    seed
        Seed of the job.
    mirror
        Mirror every other instance at random.
    """

    def __init__(self, n: int, size: int, seed: int, mirror: bool) -> None:
        super().__init__(seed, mirror)
        self.n, self.size = n, size

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __iter__(self) -> Iterator[list[Draw]]:
        rng = self._rng()
        order = rng.permutation(self.n)
        for first in range(0, self.n, self.size):
            yield [Draw(int(i), self._flip(rng)) for i in order[first : first + self.size]]


class BalancedBatches(_EpochBatches):
    """As many items of every class in each batch; rarer classes come round more often.

    An epoch shows every item of the most frequent class at least once.

    Parameters
    ----------
    targets : ndarray of shape (item,)
        Index of the class.
    per_class
        Items of a class in a batch.
    seed
        Seed of the job.
    mirror
        Mirror every other item at random.
    sizes : ndarray of shape (item,), optional
        Number of instances of each bag.
    longest
        Take a random run of at most this many instances of a bag.
    at_least
        Fewest batches an epoch: the items of a small cohort come round more often.
    scattered
        Take that many instances anywhere in the bag instead of a run.
    """

    def __init__(
        self,
        targets: NDArray[np.int64],
        per_class: int,
        seed: int,
        mirror: bool,
        sizes: NDArray[np.int64] | None = None,
        longest: int | None = None,
        at_least: int = 1,
        scattered: bool = False,
    ) -> None:
        super().__init__(seed, mirror)
        self.scattered = scattered
        self.by_class = [np.flatnonzero(targets == c) for c in np.unique(targets)]
        largest = max(len(own) for own in self.by_class)
        self.per_class = min(per_class, largest)
        self.sizes, self.longest = sizes, longest
        self.batches = max(-(-largest // self.per_class), at_least)

    def __len__(self) -> int:
        return self.batches

    def _draw(self, item: int, rng: np.random.Generator) -> Draw:
        flip = self._flip(rng)
        if self.sizes is None or self.longest is None:
            return Draw(item, flip)
        if self.scattered:
            return Draw(item, flip, chosen=_anywhere(int(self.sizes[item]), self.longest, rng))
        spare = int(self.sizes[item]) - self.longest
        first = int(rng.integers(spare + 1)) if spare > 0 else 0
        return Draw(item, flip, first, self.longest)

    def __iter__(self) -> Iterator[list[Draw]]:
        rng = self._rng()
        wanted = self.batches * self.per_class
        orders = []
        for own in self.by_class:
            rounds = -(-wanted // len(own))
            orders.append(np.concatenate([rng.permutation(own) for _ in range(rounds)])[:wanted])
        for b in range(self.batches):
            part = slice(b * self.per_class, (b + 1) * self.per_class)
            yield [self._draw(int(i), rng) for order in orders for i in order[part]]


def _anywhere(size: int, n: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Choose instances of a bag, all of them where it has fewer."""
    return tuple(sorted(int(k) for k in rng.choice(size, min(n, size), replace=False)))


class JointDraw(NamedTuple):
    """What a batch of joint training is made of: reference clips, and instances of bags."""

    clips: list[Draw]
    bags: list[Draw]


class JointBatch(NamedTuple):
    """Reference clips and instances of bags in one batch (Gao 2023).

    Parameters
    ----------
    bags : BagBatch
        Of all of them: the clips, last, are one more bag, which has no target.
    n_bags
        Number of bags with a target, and so the number of the clips' bag.
    clip_target : Tensor of shape (clip,)
        0 without and 1 with fidgety movements.
    """

    bags: BagBatch
    n_bags: int
    clip_target: torch.Tensor


class JointData(Dataset):
    """Reference clips beside bags.

    Parameters
    ----------
    clips
        All clips in one bag, with a target each.
    bags
        Bags with a target each.
    """

    def __init__(self, clips: BagData, bags: BagData) -> None:
        self.clips, self.bags = clips, bags

    def __len__(self) -> int:
        return len(self.bags)

    def __getitem__(self, draw: JointDraw) -> JointBatch:
        """Return a whole batch."""
        clips = [self.clips[one] for one in draw.clips]
        bags = [self.bags[one] for one in draw.bags]
        together = collate_bags([*bags, *clips])
        kind = together.bag.clamp_max(len(bags))
        n = sum(len(item.target) for item in bags)
        info = collate_bags(bags).info
        whole = together._replace(bag=kind, target=together.target[:n], info=info)
        return JointBatch(whole, len(bags), together.target[n:])


def only_item(items: Sequence[JointBatch]) -> JointBatch:
    """Return the one item, which is a batch already."""
    (item,) = items
    return item


class JointBatches(_EpochBatches):
    """Half reference clips of both kinds, half instances of bags of every class (Gao 2023).

    An epoch shows every bag of the most frequent class once; of each, instances are drawn at random
    over the whole of it. Clips are drawn anew for every batch, so that rarer ones come as often.

    Parameters
    ----------
    clip_targets : ndarray of shape (clip,)
        Kind of every clip; both have one at least.
    bag_targets : ndarray of shape (bag,)
        Class of every bag.
    sizes : ndarray of shape (bag,)
        Number of instances of each.
    per_kind
        Clips of each kind in a batch; fewer where there are fewer.
    per_class
        Bags of each class in a batch; fewer where there are fewer.
    per_bag
        Instances of a bag in a batch; all of them where it has fewer.
    seed
        Seed of the job.
    mirror
        Mirror every other clip and bag at random.
    at_least
        Fewest batches an epoch.
    """

    def __init__(
        self,
        clip_targets: NDArray[np.int64],
        bag_targets: NDArray[np.int64],
        sizes: NDArray[np.int64],
        *,
        per_kind: int,
        per_class: int,
        per_bag: int,
        seed: int,
        mirror: bool,
        at_least: int = 1,
    ) -> None:
        super().__init__(seed, mirror)
        self.kinds = [np.flatnonzero(clip_targets == k) for k in np.unique(clip_targets)]
        self.per_kind, self.per_bag, self.sizes = per_kind, per_bag, sizes
        # What is drawn of the bags' order is drawn as without clips.
        self.bags = BalancedBatches(bag_targets, per_class, seed, mirror, at_least=at_least)

    def __len__(self) -> int:
        return len(self.bags)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        super().set_epoch(epoch)
        self.bags.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[JointDraw]]:  # type: ignore[override]
        rng = np.random.default_rng([self.seed, self.epoch, 1])
        for bags in self.bags:
            drawn = []
            for bag in bags:
                chosen = _anywhere(int(self.sizes[bag.item]), self.per_bag, rng)
                drawn.append(bag._replace(chosen=chosen))
            clips = []
            for kind in self.kinds:
                n = min(self.per_kind, len(kind))
                picked = [int(k) for k in rng.choice(kind, n, replace=False)]
                clips += [Draw(0, self._flip(rng), chosen=(k,)) for k in picked]
            yield [JointDraw(clips, drawn)]
