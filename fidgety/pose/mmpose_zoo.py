"""List mmpose's models for whole bodies: ``python -m fidgety.pose.mmpose_zoo [PART OF A NAME]``.

Names to give as ``config``, and where OpenMMLab offers the weights. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from fidgety.pose.mmpose_runtime import (
    configs_folder,
    needs_mmpretrain,
    published_weights,
    shipped_configs,
)

#: Folders of configs for whole bodies in single pictures.
BODIES = ("body_2d_keypoint", "wholebody_2d_keypoint")
#: Folders below them whose models look for all people at once: not what runs here.
OTHERS = frozenset(
    {"associative_embedding", "cid", "dekr", "edpose", "rtmo", "yoloxpose", "dwpose"}
)


def body_models(part: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield name and addresses of weights of the top-down models whose name contains ``part``."""
    for name, paths in sorted(shipped_configs().items()):
        for path in paths:
            folders = Path(path).relative_to(configs_folder()).parts
            if folders[0] not in BODIES or OTHERS & set(folders) or part not in name:
                continue
            if not needs_mmpretrain(path):
                yield name, published_weights(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the models."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", default="", help="part of the name: rtmpose, halpe26")
    for name, urls in body_models(parser.parse_args(arguments).part):
        print(name)
        for url in urls or ("no weights are offered",):
            print(f"    {url}")


if __name__ == "__main__":
    main()
