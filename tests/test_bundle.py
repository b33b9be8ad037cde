"""Bundles: what goes in, what comes out the same, and what is refused with its reason."""

from __future__ import annotations

import contextlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fidgety.bundle import archive
from fidgety.bundle.archive import open_bundle, unpack_models
from fidgety.bundle.card import RunCard, characteristics, model_card, training_numbers
from fidgety.bundle.manifest import (
    BUNDLE_SCHEMA,
    MANIFEST,
    MEMBER,
    Manifest,
    manifest_bytes,
    parse_manifest,
)
from fidgety.bundle.settings import (
    DECIDING,
    check_own_bundle,
    check_privacy,
    check_publish,
    check_stages,
    needed_files,
    published_models,
    settle,
    shared_model,
    shared_sections,
)
from fidgety.bundle.strip import shared_description
from fidgety.bundle.write import write_bundle
from fidgety.cohort import Study
from fidgety.config.learning import ModelConfig, choice_text
from fidgety.config.root import Config, parse_config
from fidgety.config.study import Role
from fidgety.errors import ConfigError, FidgetyError, StorageError
from fidgety.files import file_sha256, write_json
from fidgety.inclusion import Decision
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.plan_check import check_infants, check_methods, check_pixels
from fidgety.sheet import Recording
from fidgety.text import control_in
from fidgety.training.select import Selection, copy_selected
from tests.evaluation.synthetic import snakemake
from workflow_scripts import unpack_bundle
from workflow_scripts.stage import Job

#: Ids and paths that must not leave the house.
SECRETS = ("mueller-anna", "anna-video-1", "srv", "clinic", "John", "Smith", "hosp")
STAGES = {"clean_pose": "aaaa", "predict_infant": "bbbb"}
SMALL: dict[str, Any] = {
    "models": {"cnn": {"kind": "cnn1d"}, "clip": {"kind": "mam_clip"}},
    "folds": {"n": 2},
}
#: Files that the fold models start from, on the machine that trains.
STARTS = ["/srv/clinic/resnet.pth", "/home/John Smith/hosp/w.pt", None]
PICTURES = {"kind": "two_stream", "grid": {"weights": STARTS, "streams": ["fusion"]}}
#: What is bundled: a model of a grid, too.
MADE: dict[str, Any] = {**SMALL, "models": {**SMALL["models"], "pictures": PICTURES}}


def description(model: str, kind: str, fold: int, weights: Path) -> dict[str, Any]:
    """Return a ``model.json`` that names infants and paths wherever it can."""
    return {
        "schema": "model/1",
        "model": model,
        "kind": kind,
        "options": {"weights": STARTS[1], "epochs": 3},
        "classes": ["normal", "risk"],
        "at_risk": [False, True],
        "inputs": {"rate_hz": 25.0},
        "threshold": {"value": 0.4, "rule": "youden", "detail": "3 validation infants"},
        "validation": [{"infant": "mueller-anna", "label": "risk", "score": 0.7}],
        "training_infants": ["mueller-anna"],
        "reference_infants": ["mueller-anna"],
        "left_out": {"anna-video-1": "too short"},
        "counts": {"train_infants": {"normal": 3, "risk": 2}},
        "of_tomorrow": "mueller-anna",
        "fold": fold,
        "weights": weights.name,
        "weights_sha256": file_sha256(weights),
        "provenance": {"code": "cccc", "recording": "anna-video-1", "parameters": {"x": "/srv"}},
    }


def write_models(folder: Path) -> dict[str, dict[int, Path]]:
    """Write fold models as training does; of a grid, the chosen one as the choice does."""
    found: dict[str, dict[int, Path]] = {}
    for name, model in parse_config(MADE).models.items():
        for fold in (1, 2):
            place = folder / name / f"fold-{fold}"
            trained = place / "candidate-2" if model.grid else place
            trained.mkdir(parents=True)
            weights = trained / "weights.safetensors"
            save_file({"w": torch.full((4,), float(fold))}, weights)
            write_json(trained / "model.json", description(name, model.kind, fold, weights))
            found.setdefault(name, {})[fold] = place / "model.json"
            if model.grid:
                (trained / "history.tsv").write_text("epoch\n")
                copy_selected(
                    trained / "model.json",
                    Selection(tuple(map(choice_text, model.choices())), (0.7, 0.5, 0.6), 1),
                    weights=place / weights.name,
                    model=place / "model.json",
                    history=place / "history.tsv",
                )
    return found


def described(config: Config, **more: Any) -> dict[str, Any]:
    """Return the manifest's fields as the rule gives them."""
    return {
        "classes": [c.model_dump() for c in config.classes],
        "folds": 2,
        "models": {n: shared_model(config.models[n]) for n in published_models(config)},
        "configuration": shared_sections(config),
        "needs": needed_files(config, file_sha256),
        "training": {"infants": {"normal": 3, "risk": 2}, "recordings": 6, "phantoms": 0},
        "stages": STAGES,
        "libraries": {"torch": "2.13.0"},
        **more,
    }


def make(folder: Path, config: Config | None = None, **more: Any) -> Path:
    """Write a bundle and return its archive; the folder lies beside."""
    card = partial(model_card, metrics=[], described=[], confidence=0.95)
    write_bundle(
        folder / "bundle",
        folder / "bundle.zip",
        models=write_models(folder / "models"),
        described=described(config or parse_config(MADE), **more),
        card=card,
    )
    return folder / "bundle.zip"


def manifest_of(config: Config, **more: Any) -> Manifest:
    """Return the manifest of a bundle of a configuration, without files."""
    values = described(config, **more)
    names = [
        f"models/{model}/fold-{fold}/{file}"
        for model in values["models"]
        for fold in (1, 2)
        for file in ("model.json", "weights.safetensors")
    ]
    entry = {"sha256": "0" * 64, "bytes": 1}
    values["files"] = dict.fromkeys([*names, "model_card.md"], entry)
    return Manifest.model_validate({**values, "schema": BUNDLE_SCHEMA, "fidgety_version": "0.1.0"})


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a good archive. Tests do not change it."""
    return make(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def folder(zipped: Path, tmp_path: Path) -> Path:
    """Return a good folder that a test may change."""
    return Path(shutil.copytree(zipped.with_name("bundle"), tmp_path / "bundle"))


def refusal(path: Path) -> str:
    """Return why a bundle is refused."""
    with pytest.raises(ConfigError, match=r"^bundle: ") as error:
        open_bundle(path)
    return str(error.value)


# What goes in


def test_archive_and_folder_are_one_bundle_and_equal_bytes(zipped: Path, tmp_path: Path) -> None:
    again = make(tmp_path)
    assert again.read_bytes() == zipped.read_bytes()
    one, other = open_bundle(zipped), open_bundle(zipped.with_name("bundle"))
    assert one.identity == other.identity
    assert one.manifest == other.manifest
    assert make(tmp_path / "more", licence="MIT").read_bytes() != zipped.read_bytes()


def test_nothing_in_it_names_an_infant_or_a_place(zipped: Path) -> None:
    content = b"".join(
        p.read_bytes() for p in sorted(zipped.with_name("bundle").rglob("*")) if p.is_file()
    )
    for secret in (*SECRETS, "score", str(zipped.parent)):
        assert secret.encode() not in content, secret
    told = json.loads((zipped.with_name("bundle") / "models/cnn/fold-1/model.json").read_text())
    assert told["threshold"]["value"] == 0.4
    assert told["options"] == {"weights": "w.pt", "epochs": 3}
    assert told["counts"]["train_infants"] == {"normal": 3, "risk": 2}
    assert told["training_infants"] == told["validation"] == []
    told = json.loads(
        (zipped.with_name("bundle") / "models/pictures/fold-1/model.json").read_text()
    )
    choices = [f"streams fusion; weights {name}" for name in ("resnet.pth", "w.pt", "None")]
    assert told["selection"] == {
        "choices": choices,
        "chosen": choices[1],
        "validation_loss": [0.7, 0.5, 0.6],
        "reason": "lowest loss on the validation infants",
    }


def test_a_field_that_nobody_has_thought_about_stays_at_home() -> None:
    selection = {"choices": ["a /srv"], "chosen": "a /srv", "of_tomorrow": "mueller-anna"}
    own = {"options": {}, "of_tomorrow": "mueller-anna", "selection": selection}
    shared = shared_description(own, ["a b"])
    assert "of_tomorrow" not in shared
    assert shared["selection"] == {"choices": ["a b"], "chosen": "a b"}


def test_a_model_of_another_grid_is_not_packed(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models")
    shorter = {
        **MADE["models"],
        "pictures": {"kind": "two_stream", "grid": {"weights": STARTS[:2]}},
    }
    with pytest.raises(StorageError, match=r"pictures/fold-1/model\.json: was chosen from another"):
        write_bundle(
            tmp_path / "bundle",
            tmp_path / "bundle.zip",
            models=models,
            described=described(parse_config({**MADE, "models": shorter})),
            card=lambda manifest, thresholds: "",
        )


def test_other_weights_are_not_packed(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models")
    models["cnn"][1].with_name("weights.safetensors").write_bytes(b"others")
    with pytest.raises(Exception, match="damaged or of another model"):
        write_bundle(
            tmp_path / "bundle",
            tmp_path / "bundle.zip",
            models=models,
            described=described(parse_config(MADE)),
            card=lambda manifest, thresholds: "",
        )
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "bundle.zip").exists()


# What is refused


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nothing.zip")
    (tmp_path / "letter.zip").write_text("a letter")
    assert "neither a folder nor a ZIP archive" in refusal(tmp_path / "letter.zip")
    (tmp_path / "empty").mkdir()
    assert f"has no {MANIFEST}" in refusal(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("holiday.jpg", b"x")
    assert "'holiday.jpg', which is no file of a bundle" in refusal(tmp_path / "other.zip")


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest in place."""
    values = json.loads((folder / MANIFEST).read_text())
    change(values)
    (folder / MANIFEST).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(schema="bundle/2"), "format 'bundle/2'"),
        (lambda m: m.update(schema="model/1"), "not that of a bundle"),
        (lambda m: m.pop("stages"), "stages: Field required"),
        (lambda m: m.update(more=1), "more: Extra inputs"),
        (lambda m: m.update({"\x1b]0;owned\x07": 1}), "holds U+001B"),
        (lambda m: m.update(licence="\x1b[2J"), "holds U+001B"),
        (lambda m: m["classes"][0].update(name="f\u202eine"), "holds U+202E"),
        (lambda m: m.update(folds=3), "does not fit its models"),
        (lambda m: m["files"].pop("model_card.md"), "does not fit its models"),
        (lambda m: m["models"].update({"../x": {"kind": "cnn1d"}}), "pattern"),
        (lambda m: m["files"]["model_card.md"].update(sha256="0" * 64), "checksum of model_card"),
        (lambda m: m["files"]["model_card.md"].update(bytes=1), "checksum of model_card"),
        (lambda m: m["models"]["cnn"].update(kind="svm"), "belongs to another model"),
        (lambda m: m["classes"][0].update(name="fine"), "belongs to another model"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit_manifest(folder, change)
    assert said in refusal(folder)
    assert control_in(refusal(folder)) is None


@pytest.mark.parametrize("content", ["", "[1]", "{", '"bundle/1"', "[" * 100_000, "\udc80"])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_bytes(content.encode("utf-8", "surrogateescape"))
    assert MANIFEST in refusal(folder)


def test_missing_additional_and_changed_files_are_refused(folder: Path) -> None:
    model = folder / "models/cnn/fold-1/model.json"
    content = model.read_bytes()
    model.write_bytes(content.replace(b"0.4", b"0.1"))
    assert "checksum of models/cnn/fold-1/model.json" in refusal(folder)
    model.unlink()
    assert "lacks models/cnn/fold-1/model.json" in refusal(folder)
    model.write_bytes(content)
    open_bundle(folder)
    (folder / "models/cnn/fold-3").mkdir()
    more = folder / "models/cnn/fold-3/model.json"
    more.write_bytes(content)
    assert "'models/cnn/fold-3/model.json', which its manifest.json does not know" in refusal(
        folder
    )
    more.unlink()
    (folder / "models/weights.pkl").write_bytes(b"a pickle")
    assert "'models/weights.pkl', which is no file of a bundle" in refusal(folder)


def test_links_are_refused(folder: Path, tmp_path: Path) -> None:
    card = folder / "model_card.md"
    shutil.move(card, tmp_path / "card.md")
    card.symlink_to(tmp_path / "card.md")
    assert "'model_card.md' is a link" in refusal(folder)
    card.unlink()
    shutil.move(tmp_path / "card.md", card)
    shutil.move(folder / "models", tmp_path / "models")
    (folder / "models").symlink_to(tmp_path / "models")
    assert "'models' is a link" in refusal(folder)


def repack(source: Path, target: Path, *more: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    """Copy an archive and add members to it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry, old.read(entry))
        for entry, content in more:
            new.writestr(entry, content)
    return target


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "models/../../x", "..\\x", "C:x", "models/cnn/../x"]
)
def test_names_that_lead_out_are_refused(zipped: Path, tmp_path: Path, name: str) -> None:
    path = repack(zipped, tmp_path / "b.zip", (name, b"x"))
    assert "leads out of the bundle" in refusal(path)
    with pytest.raises(ConfigError, match="leads out"):
        unpack_models(path, tmp_path / "out", open_bundle(zipped).identity)
    assert {p.name for p in tmp_path.iterdir()} <= {"b.zip", "out"}


def test_links_and_doubles_in_an_archive_are_refused(zipped: Path, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("models/cnn/fold-3/model.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "is a link" in refusal(repack(zipped, tmp_path / "link.zip", (link, b"/etc/passwd")))
    with pytest.warns(UserWarning, match="Duplicate"):
        double = repack(zipped, tmp_path / "double.zip", ("model_card.md", b"another"))
    assert "stands in it twice" in refusal(double)


def test_what_is_compressed_is_refused(zipped: Path, tmp_path: Path) -> None:
    bomb = zipfile.ZipInfo("models/cnn/fold-3/weights.safetensors")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    path = repack(zipped, tmp_path / "bomb.zip", (bomb, bytes(50_000_000)))
    assert path.stat().st_size < 1_000_000
    assert "is compressed or encrypted" in refusal(path)


def test_overlapping_members_are_refused(zipped: Path, tmp_path: Path) -> None:
    """Many entries that all point to the same bytes: stored, and still larger than the archive."""
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("models/m/fold-1/weights.safetensors", bytes(10_000))
        first = made.infolist()[0]
        for k in range(2, 99):
            entry = zipfile.ZipInfo(f"models/m/fold-{k}/weights.safetensors")
            for name in ("CRC", "compress_size", "file_size", "header_offset"):
                setattr(entry, name, getattr(first, name))
            made.filelist.append(entry)
    assert "larger than the archive itself" in refusal(path)


def test_absurd_sizes_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TEXT_BYTES", 100)
    assert "refused for its size" in refusal(folder)
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    assert "refused for its size" in refusal(folder)
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    assert "refused for its size" in refusal(folder)


@given(data=st.data())
@settings(max_examples=150)
def test_a_damaged_archive_is_refused_or_holds_the_same(
    zipped: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = zipped.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        bad = whole[:at]
    else:
        bad = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(bad)
    try:
        found = open_bundle(path)
    except ConfigError:
        return
    # Dates and rights of the archive's entries are no content.
    assert found.identity == open_bundle(zipped).identity
    assert len(bad) == len(whole)


@given(name=st.text(alphabet="m./\\:od-elsjnaifts_crd1\0 ", max_size=60))
def test_no_name_that_is_taken_leads_out(name: str) -> None:
    try:
        archive._check_name(name, "bundle: x")
    except ConfigError:
        return
    assert MEMBER.fullmatch(name)
    assert (Path("/a") / name).resolve().is_relative_to("/a")


# Unpacking


def test_models_are_unpacked_as_they_were_packed(zipped: Path, tmp_path: Path) -> None:
    identity = open_bundle(zipped).identity
    for source in (zipped, zipped.with_name("bundle")):
        unpack_models(source, tmp_path / source.name, identity)
        for path in (tmp_path / source.name).rglob("*.*"):
            name = path.relative_to(tmp_path / source.name)
            assert path.read_bytes() == (zipped.with_name("bundle") / "models" / name).read_bytes()
        assert len(list((tmp_path / source.name).rglob("*.*"))) == 12


def test_nothing_is_unpacked_of_another_or_a_damaged_bundle(zipped: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="changed meanwhile"):
        unpack_models(zipped, tmp_path / "out", "0" * 64)
    content = bytearray(zipped.read_bytes())
    with zipfile.ZipFile(zipped) as whole:
        last = whole.infolist()[-1]
    assert last.filename.endswith("weights.safetensors")
    content[last.header_offset + 30 + len(last.filename) + last.file_size - 1] ^= 1
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        unpack_models(tmp_path / "bad.zip", tmp_path / "out", open_bundle(zipped).identity)
    assert not list((tmp_path / "out").rglob("*.*"))


def test_what_fails_in_writing_is_not_told_of_the_bundle(
    zipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = open_bundle(zipped).identity

    def said(target: Path) -> str:
        with pytest.raises(FidgetyError, match=r"cannot be written \(") as error:
            unpack_models(zipped, target, identity)
        assert not isinstance(error.value, ConfigError)
        return str(error.value)

    (tmp_path / "file").write_text("no folder")
    target = tmp_path / "file" / "bundled"
    assert said(target).startswith(f"{target}: cannot be written (Not a directory)")
    monkeypatch.setattr(archive, "atomic_path", lambda path: contextlib.nullcontext("/dev/full"))
    full = said(tmp_path / "bundled")
    assert full.startswith(f"{tmp_path / 'bundled'}: cannot be written (No space left on device)")
    assert "bundle:" not in full


@pytest.mark.parametrize("error", [OSError("full"), ValueError("odd"), RuntimeError("odd")])
def test_what_fails_beside_the_reading_is_no_damage(zipped: Path, error: Exception) -> None:
    for path in (zipped, zipped.with_name("bundle")):
        with pytest.raises(type(error), match=str(error)), archive._files(path):
            raise error


def test_models_that_do_not_load_are_refused(zipped: Path, tmp_path: Path) -> None:
    """Checksums that fit say nothing of what they are of: these weights are no network's."""
    bundle = open_bundle(zipped)
    models = [
        tmp_path / name.removeprefix("models/")
        for name in bundle.manifest.model_paths()
        if name.endswith("model.json")
    ]
    made = snakemake(
        input={"bundle": str(zipped)},
        output={"models": models},
        params={"bundle": bundle.identity},
    )
    with pytest.raises(ConfigError, match=r"clip/fold-1/model\.json cannot be used \("):
        unpack_bundle.main(Job(made.input, made.output, made.params, {}))


# The configuration


def against(bundled: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return the findings of a user's configuration against the bundle of another."""
    manifest = manifest_of(parse_config({**SMALL, **bundled}))
    return list(settle(parse_config(own), manifest, file_sha256).findings)


def test_a_configuration_that_says_nothing_takes_the_bundles() -> None:
    made = parse_config(
        {
            **SMALL,
            "features": {"origin": "pelvis"},
            "evaluation": {"threshold": 0.3},
            "classes": [{"name": "a"}, {"name": "b", "at_risk": True}],
            "pose": {"options": {"min_tracking_confidence": 0.25}},
        }
    )
    own = parse_config({"evaluation": {"bootstrap": 500}, "results": "here"})
    config, findings = settle(own, manifest_of(made), file_sha256)
    assert findings == []
    assert config.features == made.features
    assert config.models == made.models
    assert config.classes == made.classes
    assert config.folds.n == 2
    assert config.pose.options["min_tracking_confidence"] == 0.25
    assert (config.evaluation.threshold, config.evaluation.bootstrap) == (0.3, 500)
    assert (config.results, config.phantom.preset) == ("here", "none")


def test_the_same_said_twice_is_no_contradiction() -> None:
    whole = parse_config(SMALL).model_dump(mode="json", exclude={"pixels"})
    assert against({}, whole | {"bundle": "b.zip"}) == []


@pytest.mark.parametrize("kind", MODEL_SYSTEMS.names())
def test_every_kind_of_model_comes_back_as_it_was(kind: str) -> None:
    made = parse_config({"folds": {"n": 2}, "models": {"m": {"kind": kind}}})
    config, findings = settle(parse_config({"bundle": "b.zip"}), manifest_of(made), file_sha256)
    assert findings == []
    assert config.models == made.models
    assert check_methods(config) == check_methods(made)
    assert check_pixels(config) == []
    assert config.pixels == made.pixels


def test_a_grid_comes_back_and_names_no_place() -> None:
    grid = {"dropout": [0.1, 0.3], "units": [[32, 16], [64, 32]]}
    made = parse_config({"folds": {"n": 2}, "models": {"m": {"kind": "lstm", "grid": grid}}})
    config, findings = settle(parse_config({}), manifest_of(made), file_sha256)
    assert findings == []
    assert config.models == made.models
    files = {"weights": ["/srv/clinic/a.pth", None], "streams": ["sum", "fusion"]}
    pictures = parse_config(
        {
            "folds": {"n": 2},
            "models": {
                "grid": {"kind": "two_stream", "grid": files},
                "one": {"kind": "two_stream", "options": {"weights": "/srv/clinic/b.pth"}},
            },
        }
    )
    manifest = manifest_of(pictures)
    assert "pixels" in manifest.configuration
    assert "/srv" not in manifest.model_dump_json()
    assert manifest.models["grid"].grid[0]["weights"] == ["a.pth", None]
    both = [{"weights": ["/srv/a.pth"]}, {"weights": ["/srv/b.pth"]}]
    shared = shared_model(ModelConfig.model_validate({"kind": "two_stream", "grid": both}))
    assert shared["grid"] == [{"weights": ["a.pth"]}, {"weights": ["b.pth"]}]
    own = pictures.model_dump(mode="json", include={"models"})
    config, findings = settle(parse_config(own), manifest, file_sha256)
    assert findings == [], "whose copy of the weights it was makes no difference"
    assert check_pixels(config.model_copy(update={"bundle": "b.zip"})) == []


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"features": {"origin": "pelvis"}}, ['features.origin: is "pelvis"', '"sternum"']),
        ({"video": {"max_rate_hz": 25}}, ["video.max_rate_hz: is 25.0", "30.0"]),
        ({"cleaning": {"max_gap_s": 0.1}}, ["cleaning.max_gap_s: is 0.1", "0.6"]),
        ({"quality": {"max_still": 1}}, ["quality.max_still"]),
        ({"inclusion": {"preset": "gao2023"}}, ["inclusion.preset"]),
        ({"pose": {"method": "vitpose"}}, ['pose.method: is "vitpose"', '"mediapipe"']),
        ({"pose": {"options": {"mode": "static"}}}, ["pose.options.mode", '"tracking"']),
        ({"pose": {"options": {"mod": 1}}}, ["pose.options.mod: no such key"]),
        ({"background": {"method": "median"}}, ["background.method"]),
        ({"evaluation": {"threshold": 0.2}}, ["evaluation.threshold: is 0.2", '"youden"']),
        ({"evaluation": {"pooling": "recording"}}, ["evaluation.pooling"]),
        ({"classes": [{"name": "x"}, {"name": "y", "at_risk": True}]}, ["classes: is", '"risk"']),
        ({"models": {"other": {"kind": "cnn1d"}}}, ["models.other: is no model", "other: null"]),
        ({"models": {"cnn": {"kind": "lstm"}}}, ["models.cnn: is", '"cnn1d"']),
        ({"models": {"cnn": {"kind": "cnn1d", "options": {"epochs": 1}}}}, ["models.cnn: is"]),
    ],
)
def test_a_contradiction_is_told_with_both_values_and_what_to_do(
    own: dict[str, Any], said: list[str]
) -> None:
    (finding,) = against({}, own)
    for part in said:
        assert part in finding
    assert any(do in finding for do in ("Take the key out", "Nothing is trained", "Did you mean"))


def test_all_contradictions_are_told_at_once() -> None:
    own = {"features": {"origin": "none", "scale": "none"}, "video": {"crf": 30}}
    assert [line.split(":")[0] for line in against({}, own)] == [
        "video.crf",
        "features.origin",
        "features.scale",
    ]


@pytest.mark.parametrize(
    "own",
    [
        {"seed": 3, "folds": {"n": 7}, "training": {"device": "cpu", "augment_flip": False}},
        {"pose": {"keypoint_names": {"hand": "left_hand"}}},
        {"video": {"export_frames": "png"}, "report": {"title": "x"}},
        {"evaluation": {"confidence": 0.9, "prevalence": 0.2}},
        {"models": {"cnn": {"kind": "cnn1d", "options": {"epochs": 250}}}},
    ],
)
def test_what_decides_nothing_is_the_users_own(own: dict[str, Any]) -> None:
    assert against({}, own) == []


def test_every_section_has_a_place() -> None:
    """A new section of the configuration is the bundle's, or the user's: somebody decides."""
    users = {
        *("seed", "results", "sheet", "intervals", "cohorts", "bundle", "phantom", "corrections"),
        *("compare_pose", "export", "report", "kaur", "gao", "labelling", "pose_training"),
        *("infant", "publish", "reading"),
    }
    told = {"classes", "models", "folds", "training"}
    assert set(DECIDING) | told | users == set(Config.model_fields)
    for section, own in DECIDING.items():
        assert own <= set(type(getattr(Config(), section)).model_fields)


def test_files_of_the_machine_go_by_their_checksum(tmp_path: Path) -> None:
    there, here, other = (tmp_path / name for name in ("there.task", "here.task", "other.task"))
    there.write_bytes(b"network")
    here.write_bytes(b"network")
    other.write_bytes(b"another")
    bundled = {"pose": {"method": "mediapipe_tasks", "options": {"model": str(there)}}}
    manifest = manifest_of(parse_config({**SMALL, **bundled}))
    assert manifest.needs == {"pose.options.model": file_sha256(there)}
    assert str(tmp_path) not in manifest.model_dump_json()

    def own(**options: Any) -> list[str]:
        mine = {"pose": {"method": "mediapipe_tasks", "options": options}}
        return list(settle(parse_config(mine), manifest, file_sha256).findings)

    assert own(model=str(here)) == []
    (finding,) = own(model=str(other))
    assert file_sha256(other) in finding
    assert file_sha256(there) in finding
    (finding,) = own(model=str(here), mode="static")
    assert finding.startswith("pose.options.mode")


def test_a_bundle_names_no_file_that_is_read(tmp_path: Path) -> None:
    """A config of mmpose is a program: whose it is, the user says."""
    program = tmp_path / "config.py"
    program.write_text("raise SystemExit")
    manifest = manifest_of(parse_config(SMALL))
    pose = {
        **manifest.configuration["pose"],
        "method": "mmpose",
        "options": {"config": str(program), "checkpoint": "http://elsewhere/x.pth"},
    }
    background = {
        **manifest.configuration["background"],
        "method": "u2net",
        "options": {"weights": str(program)},
    }
    changed = {**manifest.configuration, "pose": pose, "background": background}
    manifest = manifest.model_copy(update={"configuration": changed})
    config, _ = settle(parse_config({}), manifest, file_sha256)
    assert (config.pose.method, config.pose.options) == ("mmpose", {})
    assert config.background.options == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
ODD = {
    "models": {
        "cnn": {"kind": "cnn1d", "grid": {"dropout": [0.1, 0.2]}},
        "two": {"kind": "two_stream", "options": {"weights": "a.pth"}},
    },
    "folds": {"n": 2},
    "lifting": {"method": "estimator"},
}


@given(data=st.data())
@settings(max_examples=300)
def test_an_odd_manifest_is_a_message_and_never_a_traceback(data: st.DataObject) -> None:
    values = json.loads(manifest_of(parse_config(ODD)).model_dump_json(by_alias=True))
    place: Any = values
    key: Any = data.draw(st.sampled_from(sorted(values)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.integers(0, 3)):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(JSON)
    try:
        manifest = parse_manifest(json.dumps(values).encode(), "bundle: x")
    except ConfigError:
        return
    for own in ({}, ODD, {"pose": {"method": "mmpose", "options": {"config": "x.py"}}}):
        found = settle(parse_config(own), manifest, file_sha256)
        assert all(isinstance(line, str) and line for line in found.findings)
        assert isinstance(check_methods(found.config), list)
    with contextlib.suppress(ConfigError):
        check_stages(manifest, STAGES, {"torch": "2.13.0"})


def test_an_unknown_kind_is_told() -> None:
    manifest = manifest_of(parse_config(SMALL))
    entry = manifest.models["cnn"].model_copy(update={"kind": "of_tomorrow"})
    manifest = manifest.model_copy(update={"models": {**manifest.models, "cnn": entry}})
    (finding,) = settle(parse_config({}), manifest, file_sha256).findings
    assert "kind 'of_tomorrow', which this fidgety does not know" in finding


def test_other_code_is_refused_by_stage() -> None:
    manifest = manifest_of(parse_config(SMALL))
    check_stages(manifest, STAGES, {"torch": "2.13.0"})
    with pytest.raises(ConfigError, match=r"stages clean_pose: .*torch 2.13.0 there, 2.9 here"):
        check_stages(manifest, STAGES | {"clean_pose": "dddd"}, {"torch": "2.9"})
    with pytest.raises(ConfigError, match="stages lift_pose, predict_infant: "):
        check_stages(manifest, {"clean_pose": "aaaa", "lift_pose": "e"}, {})


@pytest.mark.parametrize(
    ("bundle", "own"),
    [
        ("results/bundle.zip", True),
        ("./results/../results/bundle.zip", True),
        ("results/bundle", True),
        ("results/bundle/manifest.json", True),
        ("bundle.zip", False),
        ("my/bundle.zip", False),
        ("results/given/bundle.zip", False),
        ("results/bundle.zip.copy", False),
    ],
)
def test_the_bundle_of_this_results_folder_is_refused(
    tmp_path: Path, bundle: str, own: bool
) -> None:
    for name in (bundle, str(tmp_path / bundle)):
        check_own_bundle(parse_config({"bundle": name, "results": "results/clinic"}), tmp_path)
        config = parse_config({"bundle": name})
        if own:
            with pytest.raises(ConfigError, match=r"Copy it elsewhere .* another folder"):
                check_own_bundle(config, tmp_path)
        else:
            check_own_bundle(config, tmp_path)
    check_own_bundle(parse_config({}), tmp_path)


# Who may be given away, and who may be assessed


def test_weights_that_hold_infants_are_given_only_when_asked_for() -> None:
    def findings(publish: dict[str, Any], **more: Any) -> list[str]:
        models = {"s": {"kind": "svm"}, "c": {"kind": "cnn1d"}, **more}
        return check_privacy(parse_config({"models": models, "publish": publish}))

    (finding,) = findings({})
    assert finding.startswith("models.s: the weights of svm hold movement of single")
    assert findings({"models": ["c"]}) == []
    assert findings({"infants_in_weights": "include"}) == []
    neighbours = {"kind": "eml", "grid": {"classifier": ["lda", "nn3"]}}
    assert len(findings({}, e=neighbours)) == 2
    assert len(findings({}, e={"kind": "eml"})) == 1
    (finding,) = check_publish(parse_config({"publish": {"models": ["cnn1"]}}))
    assert "publish.models: 'cnn1' is no model" in finding


def test_the_card_warns_of_infants_in_weights_and_of_phantoms() -> None:
    training = {"infants": {"normal": 3, "risk": 2}, "recordings": 6, "phantoms": 5}
    manifest = manifest_of(parse_config(SMALL), training=training)
    metrics = [
        {"model": "cnn", "set": "external", "metric": "auc", "value": 0.8, "low": 0.6,
         "high": None, "n": 9},
    ]  # fmt: skip
    card = model_card(
        manifest,
        {"cnn": [0.4, 0.5], "clip": [0.5, 0.5]},
        metrics=metrics,
        described=["sites: 2"],
        confidence=0.9,
        with_infants=["cnn"],
    )
    assert card.index("TRAINED ON DIGITAL PHANTOMS.") < card.index("## Intended use")
    assert "weights of `cnn` hold movement of single training infants" in card
    assert "| cnn | 0.80 [–], n = 9 |" in card
    assert "5 infants (3 normal, 2 risk)" in card
    assert "- sites: 2" in card
    mixed = manifest_of(parse_config(SMALL), training={**training, "phantoms": 1})
    known: dict[str, Any] = {"metrics": [], "described": [], "confidence": 0.9}
    thresholds = {"cnn": [0.4], "clip": [0.5]}
    assert "PHANTOMS (1 of 5 infants)." in model_card(mixed, thresholds, **known)
    none = manifest_of(parse_config(SMALL), training={**training, "phantoms": 0})
    assert "PHANTOMS" not in model_card(none, thresholds, **known)
    run = RunCard(
        manifest.classes,
        manifest.folds,
        manifest.models,
        manifest.configuration,
        manifest.training,
    )
    beside = model_card(run, thresholds, **known, bundled=False)
    assert "`bundle:`" not in beside
    assert "results/folds.tsv" in beside
    assert "not in the bundle" not in beside


def infants(n: int) -> pd.DataFrame:
    """Return a cohort table of some infants, each with a recording that is usable and one not."""
    return pd.DataFrame(
        {
            "infant": [f"i{k}" for k in range(n)] * 2,
            "cohort": "ward",
            "status": ["ok"] * n + ["not assessable"] * n,
            "corrected_age_weeks": [str(10 + k) for k in range(n)] * 2,
            "sex": "female",
            "site": "a",
        }
    )


def dealt(n: int) -> pd.DataFrame:
    """Return the folds' table of the first of these infants."""
    labels = [("normal", "risk")[k % 2] for k in range(n)]
    return pd.DataFrame({"infant": [f"i{k}" for k in range(n)], "label": labels})


def test_few_infants_are_counted_and_not_described() -> None:
    assert characteristics(dealt(9), infants(9)) == ["sites: 1", "cohorts: 1"]
    age, sex, *_ = characteristics(dealt(11), infants(11))
    assert (
        age == "corrected age at the recording, weeks: median 15, quartiles 12.5 to 17.5 (n = 11)"
    )
    assert sex == "sex: female 11 (n = 11)"
    folds, cohort = dealt(2), infants(3)
    cohort.loc[cohort["infant"] == "i1", "cohort"] = "phantom-development"
    assert training_numbers(folds, cohort, None) == {
        "infants": {"normal": 1, "risk": 1},
        "recordings": 2,
        "phantoms": 1,
        "reference_infants": 0,
    }


def test_the_card_describes_those_that_the_models_learned_from() -> None:
    """Excluded, unlabelled and unassessable infants are in the cohort table, and in no fold."""
    table = infants(20)
    table.loc[table["infant"].isin([f"i{k}" for k in range(12, 20)]), "site"] = "b"
    age, sex, sites, _ = characteristics(dealt(12), table)
    assert age.endswith("median 15.5, quartiles 12.75 to 18.25 (n = 12)")
    assert sex == "sex: female 12 (n = 12)"
    assert sites == "sites: 1"
    unusable = infants(12)
    unusable = unusable[~((unusable["infant"] == "i11") & (unusable["status"] == "ok"))]
    assert characteristics(dealt(12), unusable)[0].endswith("(n = 11)")
    numbers = training_numbers(dealt(12), table, table.tail(3))
    assert sum(numbers["infants"].values()) == numbers["recordings"] == 12
    assert numbers["reference_infants"] == 0, "none of them has a clip that is usable"


@pytest.mark.parametrize(("boys", "told"), [(1, False), (4, False), (5, True), (11, False)])
def test_no_group_of_few_infants_is_counted(boys: int, told: bool) -> None:
    """Nor the other one: the small one follows from the total."""
    table = infants(12)
    table.loc[table["infant"].isin([f"i{k}" for k in range(boys)]), "sex"] = "male"
    _, sex, *_ = characteristics(dealt(12), table)
    if told:
        assert sex == "sex: female 7, male 5 (n = 12)"
    else:
        assert sex == "sex: known of 12, not counted, as a group has fewer than 5 infants"


def cohort(role: Role, name: str) -> Study:
    """Return a study of one infant."""
    one = Recording(recording="r", infant="i", cohort=name, role=role, label="risk", video="v.mp4")
    return Study({"r": one}, (), {"r": Decision()}, Path())


def test_with_a_bundle_nobody_is_there_to_train_on() -> None:
    def findings(role: str, **more: Any) -> list[str]:
        config = parse_config({"bundle": "b.zip", "cohorts": {"ward": role}, **more})
        return check_infants(config, cohort(Role(role), "ward"))

    assert findings("external") == findings("new") == []
    (finding,) = findings("development")
    assert "cohorts: ward is development" in finding
    assert "make the cohort external" in finding
    (finding,) = findings("reference")
    assert "Annotated clips are for training" in finding
    phantoms = cohort(Role.DEVELOPMENT, "phantom-development")
    (finding,) = check_infants(parse_config({"bundle": "b.zip"}), phantoms)
    assert "phantom.preset: 'small' has development phantoms" in finding


def test_a_manifest_is_checked_before_it_is_written() -> None:
    values = json.loads(manifest_of(parse_config(SMALL)).model_dump_json(by_alias=True))
    assert manifest_bytes(values) == manifest_bytes(dict(reversed(values.items())))
    with pytest.raises(ValueError, match="does not fit its models"):
        manifest_bytes({**values, "folds": 9})
