"""Speed of lifting: ``python -m benchmarks.lifting_speed``.

The networks that mmpose ships, with random weights, lift a recording in stretches as the workflow
does, and frame by frame by mmpose's own function (``extract_pose_sequence`` and
``inference_pose_lifter_model``), in turns in the same process: a round is a share of the frames
one by one, then all of them at once. Beside it stands the same network with the windows merely
stacked in batches, which is what temporal convolutions over a whole stretch save beyond batching.

Times are of the wall clock, because both use all threads; the machine's load is printed.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fidgety.pose.lifters.mmpose import Network
from fidgety.pose.mmpose_runtime import Checkpoint, build_model, find_config, import_mmpose

MODELS = (
    "image-pose-lift_tcn_8xb64-200e_h36m",
    "video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m",
    "video-pose-lift_tcn-243frm-supv-cpn-ft_8xb128-200e_h36m",
)
#: Windows that are stacked.
BATCH = 256


def samples(flat: NDArray[np.float64]) -> list[list[Any]]:
    """Lay positions (frame, 2, 17) out as mmpose's functions want them."""
    from mmengine.structures import InstanceData
    from mmpose.structures import PoseDataSample

    found = []
    for frame in flat.transpose(0, 2, 1):
        sample = PoseDataSample()
        sample.gt_instances = InstanceData()
        sample.pred_instances = InstanceData(
            keypoints=frame[None].astype(np.float32), bboxes=np.array([[0.0, 0.0, 1.0, 1.0]])
        )
        sample.track_id = 0
        found.append([sample])
    return found


def one_at_a_time(model: Any, found: list[list[Any]], frames: NDArray[np.intp]) -> Any:
    """Lift some frames by mmpose's own function."""
    from mmpose.apis import extract_pose_sequence, inference_pose_lifter_model

    dataset = model.cfg.test_dataloader.dataset
    lifted = []
    for frame in frames:
        window = extract_pose_sequence(
            found, int(frame), dataset.get("causal", False), dataset.seq_len
        )
        result = inference_pose_lifter_model(model, window, image_size=(1000, 1000))
        lifted.append(result[0].pred_instances.keypoints[0].T)
    return np.stack(lifted)


def stacked(model: Any, columns: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Lift all frames with the windows of single frames stacked in batches."""
    half = (length - 1) // 2
    padded = torch.from_numpy(np.pad(columns, ((0, 0), (half, length - 1 - half)), mode="edge"))
    windows = padded.float().unfold(1, length, 1).permute(1, 0, 2)
    with torch.inference_mode():
        parts = [model._forward(part.contiguous()) for part in windows.split(BATCH)]
    return np.asarray(torch.cat(parts).numpy())


def seconds(work: Any) -> float:
    """Return the time of a piece of work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _per_second(n: int, times: NDArray[np.float64]) -> str:
    return f"{n / np.median(times):8.0f} ({n / times.max():.0f} to {n / times.min():.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=1500, help="frames of the recording")
    parser.add_argument("--single", type=int, default=20, help="frames one by one, a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    import_mmpose()
    rng = np.random.default_rng(0)
    steps = np.cumsum(rng.normal(0, 2, (args.frames, 2, 17)), axis=0)
    flat = rng.uniform(300, 700, (1, 2, 17)) + steps
    found = samples(flat)
    print(
        f"{args.frames} frames at once, {args.single} one by one, {args.rounds} rounds in turns, "
        f"{args.threads} threads, load {os.getloadavg()[0]:.1f}; frames a second: median (range)"
    )
    for name in MODELS:
        torch.manual_seed(0)
        model = build_model(find_config(name), None)
        network = Network(find_config(name), Checkpoint(model.state_dict(), {}, ""))
        columns = network._encode(flat)["keypoint_labels"]
        picked = rng.choice(args.frames, args.single, replace=False)
        error = np.abs(network.lift(flat)[picked] - one_at_a_time(model, found, picked)).max()
        times = []
        for _ in range(args.rounds):
            picked = rng.choice(args.frames, args.single, replace=False)
            times.append(
                (
                    seconds(lambda model=model, picked=picked: one_at_a_time(model, found, picked)),
                    seconds(
                        lambda model=model, columns=columns, length=network.window: stacked(
                            model, columns, length
                        )
                    ),
                    seconds(lambda network=network: network.lift(flat)),
                )
            )
        single, batched, whole = np.array(times).T
        ratio = (single / args.single) / (whole / args.frames)
        print(f"{name} (largest difference {error:.1e} m)")
        print(f"  mmpose, one by one     {_per_second(args.single, single)}")
        print(f"  windows in batches     {_per_second(args.frames, batched)}")
        print(f"  fidgety, whole stretch {_per_second(args.frames, whole)}")
        low, middle, high = np.percentile(ratio, [0, 50, 100])
        print(f"  whole over one by one  {middle:8.1f} times ({low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
