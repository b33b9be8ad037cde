"""``config.yaml`` as a whole: read, checked, documented from one set of models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from fidgety.config.background import BackgroundConfig
from fidgety.config.base import Section
from fidgety.config.cleaning import CleaningConfig
from fidgety.config.compare_pose import ComparePoseConfig
from fidgety.config.corrections import CorrectionsConfig
from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.export import ExportConfig
from fidgety.config.features import FeaturesConfig
from fidgety.config.gao import GaoConfig
from fidgety.config.inclusion import InclusionConfig
from fidgety.config.kaur import KaurConfig
from fidgety.config.labelling import LabellingConfig
from fidgety.config.learning import FoldsConfig, ModelConfig, TrainingConfig
from fidgety.config.lifting import LiftingConfig
from fidgety.config.options import parse_options as parse_options
from fidgety.config.phantom import PhantomConfig
from fidgety.config.pixels import PixelsConfig
from fidgety.config.pose import PoseConfig
from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.config.publish import PublishConfig
from fidgety.config.quality import QualityConfig
from fidgety.config.reading import ReadingConfig
from fidgety.config.report import ReportConfig
from fidgety.config.study import ClassConfig, Role
from fidgety.config.video import VideoConfig
from fidgety.errors import ConfigError
from fidgety.registry import nearest
from fidgety.sources import is_remote
from fidgety.text import control_in, with_marks

#: Most of a wrong value that a message repeats.
SHOWN_CHARACTERS = 200
#: Longest name of a file, in bytes, on any usual disk. A longer one raises an error of its own
#: wherever a path is looked at.
MAX_FILE_NAME = 255
#: Most levels and most values of a configuration; aliases of YAML can make any number of them.
MAX_DEPTH = 50
MAX_VALUES = 100_000
#: A path in somebody's home folder.
_HOME = re.compile(r"~[A-Za-z_][\w.-]*(/|$)")


class Config(Section):
    """Everything a user decides. As cloned, it runs the small phantom cohort."""

    seed: int = 20230904
    """Every random number of the workflow derives from it and the job's name."""
    results: str = "results"
    """Folder for everything that the workflow writes."""
    sheet: str | None = None
    """Sample sheet (TSV); None runs phantoms alone."""
    intervals: str | None = None
    """Table of annotated intervals (TSV)."""
    classes: tuple[ClassConfig, ...] = (
        ClassConfig(name="normal"),
        ClassConfig(name="risk", at_risk=True),
    )
    """The classes of the outcome, in the order of the models' outputs."""
    cohorts: dict[str, Role] = Field(default_factory=dict)
    """Cohort, as in the sheet, to its role; phantom cohorts bring their own."""
    bundle: str | None = None
    """Bundle of models that were trained elsewhere (archive or folder, docs/bundles.md): they
    assess, nothing is trained, and what decides their input and judgement comes from it."""
    inclusion: InclusionConfig = InclusionConfig()
    phantom: PhantomConfig = PhantomConfig()
    video: VideoConfig = VideoConfig()
    background: BackgroundConfig = BackgroundConfig()
    pose: PoseConfig = PoseConfig()
    compare_pose: ComparePoseConfig = ComparePoseConfig()
    corrections: CorrectionsConfig = CorrectionsConfig()
    cleaning: CleaningConfig = CleaningConfig()
    export: ExportConfig = ExportConfig()
    lifting: LiftingConfig = LiftingConfig()
    quality: QualityConfig = QualityConfig()
    features: FeaturesConfig = FeaturesConfig()
    pixels: PixelsConfig = PixelsConfig()
    folds: FoldsConfig = FoldsConfig()
    training: TrainingConfig = TrainingConfig()
    models: dict[str, ModelConfig] = Field(
        default_factory=lambda: {
            "cnn1d": ModelConfig(kind="cnn1d"),
            "mam_clip": ModelConfig(kind="mam_clip"),
        }
    )
    """Models to train and compare, by a name of your own; null leaves one of another file out."""
    evaluation: EvaluationConfig = EvaluationConfig()
    report: ReportConfig = ReportConfig()
    reading: ReadingConfig = ReadingConfig()
    kaur: KaurConfig = KaurConfig()
    gao: GaoConfig = GaoConfig()
    labelling: LabellingConfig = LabellingConfig()
    pose_training: PoseTrainingConfig = PoseTrainingConfig()
    publish: PublishConfig = PublishConfig()
    infant: str | None = None
    """The infant that ``snakemake forget`` erases (docs/data-protection.md); given with
    ``--config infant=ID``, not in a file."""

    @field_validator("infant", mode="before")
    @classmethod
    def _take_as_text(cls, value: Any) -> Any:
        # Ids may be numbers, and come as such from YAML and the command line.
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, int | float) else value

    @field_validator("models", mode="before")
    @classmethod
    def _leave_out(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: model for name, model in value.items() if model is not None}

    @field_validator("results")
    @classmethod
    def _check_results(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty; name a folder, such as 'results'")
        if found := re.search(r"[{}\x00-\x1f\x7f]", value):
            raise ValueError(f"holds {found[0]!r}; letters, digits, '-', '_', '.' and '/' do")
        parts = Path(value).parts
        if ".." in parts:
            raise ValueError("holds '..'; name the folder itself")
        if len(parts) == 1 and Path(value).is_absolute():
            raise ValueError("is the disk's root; name a folder")
        return value

    def with_folds(self, n: int) -> Config:
        """Return the configuration with a number of folds that the study gives, not the user."""
        return self.model_copy(update={"folds": self.folds.model_copy(update={"n": n})})

    @model_validator(mode="after")
    def _check_classes(self) -> Config:
        names = [c.name for c in self.classes]
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError("`classes` needs at least two different names")
        if not any(c.at_risk for c in self.classes) or all(c.at_risk for c in self.classes):
            raise ValueError("`classes` needs at least one class at risk and one that is not")
        return self


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the section models inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a place in the configuration knows."""
    model: type[BaseModel] = Config
    for step in location:
        field = model.model_fields.get(str(step))
        if field is None:
            continue  # a key of a dictionary or an index of a list: the model stays
        inner = _models_in(field.annotation)
        if inner:
            model = inner[0]
    return list(model.model_fields)


def describe_validation_error(error: ValidationError, where: str = "config.yaml") -> str:
    """Turn pydantic's findings into lines that name place, value and remedy."""
    lines = []
    for finding in error.errors():
        location = finding["loc"]
        place = ".".join(str(part) for part in location) or "the whole file"
        if finding["type"] == "extra_forbidden":
            known = _known_keys(location[:-1])
            hint = nearest(str(location[-1]), known) or f" Known keys: {', '.join(known)}."
            lines.append(f"{where}: {place}: no such key.{hint}")
        else:
            found = _shown(finding["input"])
            lines.append(f"{where}: {place}: {finding['msg']} (found {found}).")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    """Return a value as it is written, cut off where it is long."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of the configuration with its place, keys among them."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            name = key if isinstance(key, str) else _shown(key)
            yield place, name
            yield from _texts(inner, f"{place}.{name}" if place else name)
    elif isinstance(value, list | tuple):
        for k, inner in enumerate(value):
            yield from _texts(inner, f"{place}.{k}")


#: What names a file or folder that the plan itself opens.
_PLACES_HERE = (
    *("results", "sheet", "intervals", "bundle"),
    *("folds.file", "corrections.folder", "reading.returned"),
)


def _check_texts(values: Mapping[str, Any], where: str) -> list[str]:
    """Find what no file and no page can hold, and homes of nobody."""
    findings = []
    for place, text in _texts(values):
        place = with_marks(place) or "the whole file"
        if control := control_in(text):
            findings.append(f"{where}: {place}: holds {control}, which is no text.")
        elif (
            not re.search(r"\s", text)
            and (longest := max(len(part.encode()) for part in text.split("/"))) > MAX_FILE_NAME
        ):
            findings.append(
                f"{where}: {place}: has a word of {longest} bytes; names of files have at most "
                f"{MAX_FILE_NAME}."
            )
        elif place in _PLACES_HERE and is_remote(text):
            findings.append(
                f"{where}: {place}: is a place of this machine, no URL: {text[:99]!r}. URLs stand "
                "in the sheet; results go to a storage by --default-storage-provider and "
                "--default-storage-prefix (docs/clusters.md)."
            )
        elif _HOME.match(text):
            try:
                Path(text).expanduser()
            except RuntimeError:
                findings.append(f"{where}: {place}: there is no such home folder: {text[:99]!r}.")
    return findings


def _check_shape(values: Any) -> str | None:
    """Say what is wrong with the nesting of values, if anything is."""
    level = [values]
    n = 0
    for _ in range(MAX_DEPTH):
        n += len(level)
        if n > MAX_VALUES:
            return f"has more than {MAX_VALUES} values; do aliases (`*name`) repeat them?"
        inner = (
            value
            for one in level
            if isinstance(one, Mapping | list | tuple)
            for value in (one.values() if isinstance(one, Mapping) else one)
        )
        level = list(islice(inner, MAX_VALUES + 1))
        if not level:
            return None
    return (
        f"is nested more than {MAX_DEPTH} levels deep; does an alias (`*name`) stand inside of "
        "what it is of?"
    )


def parse_config(values: Mapping[str, Any], where: str = "config.yaml") -> Config:
    """Check configuration values.

    Raises
    ------
    ConfigError
        With one line a finding, all of them at once.
    """
    if fault := _check_shape(values):
        raise ConfigError(f"{where}: {fault}")
    if findings := _check_texts(values, where):
        raise ConfigError("\n".join(findings))
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(describe_validation_error(error, where)) from None


class _Loader(yaml.SafeLoader):
    """Reads plain values, and refuses a key that stands twice: the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_shown(key.value)} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_values(path: Path) -> dict[str, Any]:
    """Read a configuration file, its keys and values unchecked.

    Raises
    ------
    ConfigError
        If the file is not YAML, has a key twice in one place, or has no end.
    """
    try:
        # A safe loader: plain values alone.
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    # A number of thousands of digits is a ValueError, too.
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML: {error}") from None
    # So PyYAML says that a value is not what its tag says (`!!bool maybe`).
    except (LookupError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"{path}: cannot be read as YAML: a tag (`!!bool`, `!!timestamp`) does not fit its "
            f"value ({error}). Leave the tag out."
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a list of keys and values, found {_shown(values)}.")
    if fault := _check_shape(values):
        raise ConfigError(f"{path}: {fault}")
    return values


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        If the file is not YAML or has wrong or unknown keys.
    """
    return parse_config(read_values(path), str(path))
