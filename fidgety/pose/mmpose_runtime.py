"""mmpose as this project runs it: imported, configured and loaded without surprises.

What every user of mmpose here shares (2D estimation, lifting to 3D, training):

- :func:`import_mmpose` makes the package importable. It asks for libraries at import that its
  top-down models and lifters never use (mmdet, mmcv's compiled operators, torchvision) and for
  a fork of pycocotools whose wheel does not run on NumPy 2.
- :func:`find_config` finds a config by the name under which mmpose ships it, or a user's own.
- :func:`read_checkpoint` reads weights without executing what a pickle may carry.
- :func:`build_model` makes the network and puts the weights in, and downloads nothing.

Nothing heavy is imported with this module, so that a plan can be checked with it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import io
import pickle
import re
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fidgety.errors import ConfigError, FidgetyError
from fidgety.registry import nearest

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

#: Keys of a refused checkpoint that a message names.
NAMED_KEYS = 5
#: Weights of losses: they are part of a training state and decide no prediction.
LOSS_PREFIX = "head.loss"
#: A layer of mmpretrain, or of mmcls, as it was called before.
MMPRETRAIN = re.compile(r"""type=['"](mmpretrain|mmcls)\.""")


# ----------------------------------------------------------------------------------------------
# Import
# ----------------------------------------------------------------------------------------------


def _is_installed(name: str) -> bool:
    """Tell whether a top-level package can be imported, without importing it."""
    if sys.modules.get(name) is not None:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # another stand-in, without a spec
        return True


@contextlib.contextmanager
def _stand_ins(modules: Mapping[str, types.ModuleType | None]) -> Iterator[None]:
    """Let imports find these modules, and restore what was known afterwards.

    Modules imported meanwhile keep the names that they took from them; nobody else ever sees
    them: ``import torchvision`` fails as before, and libraries that look for it find nothing.
    """
    before = {name: sys.modules.get(name) for name in modules}
    absent = {name for name in modules if name not in sys.modules}
    sys.modules.update(modules)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in before.items():
            if name in absent:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module  # type: ignore[assignment]


def _module(name: str, **attributes: Any) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    return module


class _Missing:
    """Base of the classes that stand in for a library's: they can be named, not used."""

    needs = ""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise FidgetyError(
            f"this part of mmpose needs {self.needs}, which is not installed: choose another config"
        )


class _MultiScaleDeformableAttention(_Missing):
    needs = "mmcv with its compiled operators"


class _ToPILImage(_Missing):
    needs = "torchvision"


def _reduce_mean(tensor: torch.Tensor) -> torch.Tensor:
    """Average over processes, as mmdet's function of this name."""
    from mmengine.dist import all_reduce

    mean = tensor.clone()
    all_reduce(mean, op="mean")
    return mean


def _mmdet() -> dict[str, types.ModuleType | None]:
    """Stand in for what ``mmpose.models`` takes from mmdet at import (RTMO's head)."""
    if _is_installed("mmdet"):
        return {}
    utils = _module("mmdet.utils", ConfigType=dict, reduce_mean=_reduce_mean)
    return {"mmdet": _module("mmdet", utils=utils), "mmdet.utils": utils}


def _mmcv_operators() -> dict[str, types.ModuleType | None]:
    """Stand in for mmcv's compiled operators (EDPose's head), which mmcv-lite lacks."""
    if importlib.util.find_spec("mmcv._ext") is not None:
        return {}
    operator = _MultiScaleDeformableAttention
    return {"mmcv.ops": _module("mmcv.ops", MultiScaleDeformableAttention=operator)}


def _torchvision() -> dict[str, types.ModuleType | None]:
    """Stand in for what the drawing of SimCC vectors takes from torchvision."""
    if _is_installed("torchvision"):
        return {}
    transforms = _module("torchvision.transforms", ToPILImage=_ToPILImage)
    return {
        "torchvision": _module("torchvision", transforms=transforms),
        "torchvision.transforms": transforms,
    }


def _xtcocotools() -> dict[str, types.ModuleType | None]:
    """Let pycocotools stand in for its fork, of which it lacks ``COCOeval``'s own sigmas alone."""
    if _is_installed("xtcocotools"):
        return {}
    modules: dict[str, types.ModuleType | None] = {
        "xtcocotools": importlib.import_module("pycocotools")
    }
    for part in ("coco", "cocoeval", "mask"):
        modules[f"xtcocotools.{part}"] = importlib.import_module(f"pycocotools.{part}")
    return modules


def _no_transformers() -> dict[str, types.ModuleType | None]:
    """Hide transformers from mmengine, which would load all of it for one optimiser."""
    return {} if "transformers" in sys.modules else {"transformers": None}


@functools.cache
def _import_parts() -> None:
    """Import every part once, in the order and the company that it needs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations of libraries that nobody here calls
            with _stand_ins(_no_transformers()):
                importlib.import_module("mmengine.runner")
                importlib.import_module("mmcv.transforms")
            absent = {**_mmdet(), **_mmcv_operators(), **_torchvision(), **_xtcocotools()}
            with _stand_ins(absent):
                for part in ("models", "datasets", "evaluation", "codecs", "engine", "apis"):
                    importlib.import_module(f"mmpose.{part}")
                importlib.import_module("mmpose.visualization")
    except ImportError as error:
        raise FidgetyError(
            f"mmpose does not import ({error}). Install the pinned packages (docs/installation.md)."
        ) from error
    # Of mmpose's own calls to torch: nobody here can change them.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"mmpose\.")


def import_mmpose() -> None:
    """Import mmpose with everything that it registers; after this ``import mmpose`` works.

    Call it before any import from mmpose or mmengine. Where mmdet, compiled mmcv, torchvision
    or xtcocotools are installed they are used. A process that is spawned rather than forked
    has to call it again.

    Raises
    ------
    FidgetyError
        If mmpose is not installed, or does not import.
    """
    _import_parts()
    from mmengine.registry import init_default_scope

    # Every time: whoever ran a Runner of another library since has left its scope behind.
    init_default_scope("mmpose")


# ----------------------------------------------------------------------------------------------
# Configs and the model zoo's list
# ----------------------------------------------------------------------------------------------


def configs_folder() -> Path:
    """Return the folder of the configs that mmpose ships, without importing it.

    Raises
    ------
    FidgetyError
        If mmpose is not installed.
    """
    spec = importlib.util.find_spec("mmpose")
    if spec is None or spec.origin is None:
        raise FidgetyError("mmpose is not installed (docs/installation.md)")
    return Path(spec.origin).parent / ".mim" / "configs"


@functools.cache
def shipped_configs() -> dict[str, tuple[Path, ...]]:
    """Return the configs that mmpose ships, by name without ``.py``."""
    found: dict[str, list[Path]] = {}
    for path in sorted(configs_folder().rglob("*.py")):
        if "_base_" not in path.parts:
            found.setdefault(path.stem, []).append(path)
    return {name: tuple(paths) for name, paths in found.items()}


def find_config(name_or_path: str, where: str = "config") -> Path:
    """Find a config by its name in mmpose, or a file of the user's own.

    A config is Python and is executed: a file of one's own is code like any other.

    Parameters
    ----------
    name_or_path
        Name as mmpose ships it, with or without ``.py``, with or without its folder
        (``rtmpose-m_8xb256-420e_coco-256x192``), or the path of a file. A file wins over a
        name.
    where
        Key of the configuration, for messages.

    Raises
    ------
    ConfigError
        If there is none, or more than one, with nearest names; if it needs mmpretrain (ViTPose),
        which is not installed.
    FidgetyError
        If a name is given and mmpose is not installed.
    """
    own = Path(name_or_path).expanduser()
    if own.suffix == ".py" and own.is_file():
        return own.resolve()
    wanted = Path(name_or_path.removesuffix(".py"))
    shipped = shipped_configs()
    tail = tuple(part for part in wanted.parent.parts if part not in (".", "configs"))
    matches = [
        path
        for path in shipped.get(wanted.name, ())
        if not tail or path.parent.parts[-len(tail) :] == tail
    ]
    if len(matches) == 1:
        if needs_mmpretrain(matches[0]):
            raise ConfigError(
                f"{where}: {name_or_path!r} needs mmpretrain, which is not installed. ViTPose runs "
                "by `pose.method: vitpose`, with weights of its own (docs/pose-backends.md)."
            )
        return matches[0]
    if matches:
        inside = [path.relative_to(configs_folder()).as_posix() for path in matches]
        raise ConfigError(
            f"{where}: {name_or_path!r} is the name of several configs: {', '.join(inside)}. "
            "Give one of these."
        )
    raise ConfigError(
        f"{where}: mmpose ships no config {name_or_path!r}, and there is no such file."
        + (nearest(wanted.name, list(shipped)) or _containing(wanted.name, list(shipped)))
    )


def needs_mmpretrain(config: Path) -> bool:
    """Tell whether a config's own text names a part of mmpretrain, which is not installed."""
    if _is_installed("mmpretrain"):
        return False
    return MMPRETRAIN.search(config.read_text(encoding="utf-8")) is not None


def _containing(part: str, names: list[str]) -> str:
    """Say which names a part of a name may have meant, as a clause to append, or nothing."""
    found = [name for name in names if part and part in name]
    more = " ..." if len(found) > NAMED_KEYS else ""
    return f" These contain it: {', '.join(found[:NAMED_KEYS])}{more}." if found else ""


def published_weights(config: Path) -> tuple[str, ...]:
    """Return where mmpose's model zoo offers weights for a config, as its metafiles say.

    Parameters
    ----------
    config
        A config that mmpose ships; another one has none.
    """
    root = configs_folder()
    if not config.is_relative_to(root):
        return ()
    name = f"configs/{config.relative_to(root).as_posix()}"
    urls = []
    for metafile in sorted(config.parent.glob("*.yml")):
        urls += [
            m["Weights"]
            for m in _listed_models(metafile)
            if m.get("Config") == name and m.get("Weights")
        ]
    return tuple(dict.fromkeys(urls))


@functools.cache
def _listed_models(metafile: Path) -> list[dict[str, Any]]:
    listed = yaml.safe_load(metafile.read_text(encoding="utf-8")) or {}
    return list(listed.get("Models", []) if isinstance(listed, dict) else listed)


def where_to_get(config: Path | None, place: Path) -> str:
    """Say which file of the model zoo fits a config, and where to put it."""
    urls = published_weights(config) if config else ()
    if not urls:
        return f"Put the weights that were trained with this config at {place}."
    return (
        f"Download {' or '.join(urls)} and put it at {place}. "
        "Nothing is downloaded by the workflow."
    )


def network_files(config: str, checkpoint: str | Path | None) -> dict[str, Path]:
    """Return the user's files that make a network: the checkpoint, and a config of one's own."""
    found = {} if checkpoint is None else {"checkpoint": Path(checkpoint).expanduser()}
    own = Path(config).expanduser()
    if own.suffix == ".py" and own.is_file():
        found["config"] = own
    return found


def check_network_files(config: str, checkpoint: str | Path | None, section: str) -> list[str]:
    """Find a config and a checkpoint that are not there, one line a finding.

    Parameters
    ----------
    config, checkpoint
        As the user names them.
    section
        Where the keys ``config`` and ``checkpoint`` stand in the configuration.
    """
    path: Path | None = None
    findings = []
    try:
        path = find_config(config, f"{section}.config")
    except ConfigError as error:
        findings.append(str(error))
    except FidgetyError:
        pass  # mmpose is in the rule's own environment, not in the one that plans
    if checkpoint is not None and not (place := Path(checkpoint).expanduser()).is_file():
        findings.append(
            f"{section}.checkpoint: there is no file {place}. {where_to_get(path, place)}"
        )
    return findings


# ----------------------------------------------------------------------------------------------
# Checkpoints
# ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkpoint:
    """Weights as a file holds them.

    Parameters
    ----------
    state
        Tensors by name, on the CPU.
    meta
        What the file says about itself; ``dataset_meta`` has the keypoints' names.
    sha256
        Checksum of the file.
    """

    state: dict[str, torch.Tensor]
    meta: dict[str, Any]
    sha256: str


class _Log:
    """What a Runner's log becomes: its values are of no use here."""

    def __setstate__(self, state: Any) -> None:
        """Forget them."""


def _nothing(*_: Any) -> None:
    """Stand in for ``getattr``, by which a Runner's log names its own four methods."""


def allowed_globals() -> list[Any]:
    """Return what a checkpoint may hold beside tensors, numbers, text and containers.

    mmpose writes NumPy arrays into ``meta`` (colours, sigmas), mmengine's Runner its log into
    ``message_hub``; the latter is read as nothing. The same function has two addresses: of
    NumPy 1 and of NumPy 2.
    """
    import numpy as np
    from mmengine.config import ConfigDict

    multiarray = importlib.import_module("numpy._core.multiarray")
    numeric = ("Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    floating = ("Float16", "Float32", "Float64")
    return [
        (_Log, "mmengine.logging.history_buffer.HistoryBuffer"),
        (_nothing, "builtins.getattr"),
        ConfigDict,
        np.ndarray,
        np.dtype,
        *[getattr(np.dtypes, f"{name}DType") for name in (*numeric, *floating)],
        *[
            (getattr(multiarray, function), f"numpy.{core}.multiarray.{function}")
            for core in ("core", "_core")
            for function in ("_reconstruct", "scalar")
        ],
    ]


def _bytes_of(path: Path, where: str, config: Path | None) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise ConfigError(f"{where}: {path} is a folder, not a file of weights.") from None
    except FileNotFoundError:
        raise ConfigError(
            f"{where}: there is no file {path}. {where_to_get(config, path)}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{where}: {path} cannot be read ({error.strerror}).") from None


def read_checkpoint(
    path: str | Path,
    sha256: str | None = None,
    *,
    config: Path | None = None,
    where: str = "checkpoint",
) -> Checkpoint:
    """Read a checkpoint of OpenMMLab's model zoo or of mmengine's Runner.

    The file is read with torch's safe loader, which executes nothing. It is read once: what was
    compared with the checksum is what is loaded.

    Parameters
    ----------
    path
        File. A user's home may be ``~``.
    sha256
        Its expected checksum; None compares nothing.
    config
        The config that it belongs to, for the message where it is missing.
    where
        Key of the configuration, for messages.

    Raises
    ------
    ConfigError
        If the file is missing (with the address of the one that fits), has another checksum, is
        damaged, holds something other than weights, or would execute code.
    """
    path = Path(path).expanduser().absolute()
    content = _bytes_of(path, where, config)
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise ConfigError(
            f"{where}: {path} has SHA-256 {found}, expected {sha256}. Either the file is damaged, "
            f"or it is another one: then give its checksum. {where_to_get(config, path)}"
        )
    import_mmpose()
    import torch

    try:
        with torch.serialization.safe_globals(allowed_globals()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = str(error).partition("GLOBAL ")[2].split(" ")[0]
        what = f" ({asked})" if asked else ""
        raise ConfigError(
            f"{where}: {path} holds more than weights{what}; it is not loaded, because loading "
            "it could execute code. Use the file of mmpose's model zoo, or export your own as "
            "{'state_dict': ..., 'meta': {}}."
        ) from None
    except Exception as error:
        # torch raises whatever the damaged part of the file leads to.
        raise ConfigError(
            f"{where}: {path} cannot be read as a checkpoint of torch "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}). "
            f"It may be damaged: {where_to_get(config, path)}"
        ) from None
    return _checked(loaded, found, f"{where}: {path}")


def _checked(loaded: Any, sha256: str, what: str) -> Checkpoint:
    """Take weights and their description out of what a file holds."""
    import torch

    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in state.items())
    ):
        raise ConfigError(f"{what} holds no weights: expected tensors by name in 'state_dict'.")
    meta = loaded.get("meta")
    return Checkpoint(state, dict(meta) if isinstance(meta, dict) else {}, sha256)


# ----------------------------------------------------------------------------------------------
# Models
# ----------------------------------------------------------------------------------------------


def read_config(config: Path, where: str = "config") -> Config:
    """Read a config file: it is executed.

    Raises
    ------
    ConfigError
        If it cannot be read, or holds no ``model``.
    """
    import_mmpose()
    from mmengine.config import Config

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = Config.fromfile(str(config))
    except Exception as error:
        raise ConfigError(
            f"{where}: {config} cannot be read as a config of mmengine "
            f"({type(error).__name__}: {error})."
        ) from None
    if not isinstance(read.get("model"), dict):
        raise ConfigError(f"{where}: {config} has no 'model'.")
    return read


def stay_local(node: Any) -> None:
    """Make a config's ``model`` one that is built here, in place.

    What would fetch pretrained parts is taken out: all weights come from the checkpoint. Parts
    that a config names as mmdet's are mmpose's own of the same name where mmdet is absent, as
    mmengine itself would resolve them with four warnings.
    """
    if isinstance(node, dict):
        for key in ("init_cfg", "pretrained"):
            if node.get(key) is not None:
                node[key] = None
        if node.get("_scope_") == "mmdet" and not _is_installed("mmdet"):
            del node["_scope_"]
        for value in node.values():
            stay_local(value)
    elif isinstance(node, list | tuple):
        for value in node:
            stay_local(value)


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED_KEYS} more" if len(keys) > NAMED_KEYS else ""
    return ", ".join(keys[:NAMED_KEYS]) + more


def load_weights(model: torch.nn.Module, checkpoint: Checkpoint, what: str) -> None:
    """Put weights into a network, all of them.

    Parameters
    ----------
    model
        The network. Names of mmpose before 1.0 are translated by its own hooks.
    checkpoint
        Weights.
    what
        What is loaded, for the message.

    Raises
    ------
    ConfigError
        If weights are missing, have another shape, or are left over: naming the first ones.
    """
    # A copy: the hooks rename keys in place, and read the version in `_metadata`.
    state = type(checkpoint.state)(
        (name.removeprefix("module."), tensor) for name, tensor in checkpoint.state.items()
    )
    metadata = getattr(checkpoint.state, "_metadata", None)
    if metadata is not None and hasattr(state, "__dict__"):
        state._metadata = metadata  # type: ignore[attr-defined]
    advice = "Give the checkpoint that was trained with this config, or the config of this one."
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        other = [line.strip() for line in str(error).splitlines()[1:] if line.strip()]
        raise ConfigError(
            f"{what} does not fit the network: {'; '.join(other[:NAMED_KEYS])}. {advice}"
        ) from None
    left_over = [key for key in unexpected if not key.startswith(LOSS_PREFIX)]
    wanting = [key for key in missing if not key.startswith(LOSS_PREFIX)]
    if wanting or left_over:
        parts = [f"it lacks {_some(wanting)}"] if wanting else []
        parts += [f"the network has no {_some(left_over)}"] if left_over else []
        raise ConfigError(f"{what} does not fit the network: {'; '.join(parts)}. {advice}")


def build_model(
    config: Path | Config,
    checkpoint: Checkpoint | None,
    device: str = "cpu",
    *,
    where: str = "checkpoint",
) -> Any:
    """Make a network of mmpose for prediction, without any download.

    Parameters
    ----------
    config
        Config file, or a config that was read; the config itself is not changed.
    checkpoint
        Weights; None leaves the random ones that the layers were made with.
    device
        As torch names it: ``cpu``, ``cuda:0``.
    where
        Key of the configuration that named the checkpoint, for messages.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, with ``cfg`` and ``dataset_meta`` as mmpose's own functions want
        them. ``dataset_meta`` is the checkpoint's, else the config's, else None.

    Raises
    ------
    ConfigError
        If the network cannot be made, or the weights do not fit.
    """
    import_mmpose()
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import DefaultScope
    from mmpose.apis.inference import dataset_meta_from_config
    from mmpose.registry import MODELS

    settings = read_config(config) if isinstance(config, Path) else config
    settings = type(settings)(settings.to_dict(), filename=settings.filename)
    stay_local(settings.model)
    settings.model.train_cfg = None
    name = settings.filename or "the config"
    try:
        with (
            DefaultScope.overwrite_default_scope(settings.get("default_scope", "mmpose")),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            model = revert_sync_batchnorm(MODELS.build(settings.model))
    except FidgetyError:
        raise
    except Exception as error:
        raise ConfigError(
            f"config: the network of {name} cannot be made ({type(error).__name__}: {error})."
        ) from None
    meta = None
    if checkpoint is not None:
        load_weights(model, checkpoint, f"{where}: the file with SHA-256 {checkpoint.sha256}")
        meta = checkpoint.meta.get("dataset_meta")
    if meta is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            meta = dataset_meta_from_config(settings, dataset_mode="train")
    model.dataset_meta = meta
    model.cfg = settings
    model.to(device)
    model.eval()
    return model
