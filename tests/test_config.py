"""The configuration: what is refused and how, and the pages that are made from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fidgety.config import docs
from fidgety.config.root import Config, load_config, parse_config, read_values
from fidgety.config.study import Role
from fidgety.errors import REASON_TEXTS, ConfigError, Reason
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.phantom.plan import PRESETS

ROOT = Path(__file__).resolve().parents[1]


def refuse(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(values)
    return str(caught.value)


def test_as_cloned_it_runs_the_small_phantoms() -> None:
    config = load_config(ROOT / "config.yaml")
    assert config.phantom.preset == "small"
    assert config.sheet is None
    assert config.results == "results"
    for model in config.models.values():
        assert model.kind in MODEL_SYSTEMS


def test_every_key_of_the_file_is_known_and_shown_keys_are_valid() -> None:
    """Keys that stand commented out are valid as well once the mark is taken away."""
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    shown = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith(("# sheet:", "# intervals:", "# cohorts:"))
    ]
    assert len(shown) == 3
    config = parse_config(yaml.safe_load(text + "\n" + "\n".join(shown)))
    assert set(config.cohorts.values()) == {Role.DEVELOPMENT, Role.EXTERNAL, Role.NEW}


def test_validation_configuration_is_valid() -> None:
    below = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    above = yaml.safe_load((ROOT / "config" / "validation.yaml").read_text(encoding="utf-8"))
    config = parse_config({**below, **above})
    assert config.phantom.preset == "validation"
    assert config.results != parse_config(below).results


def test_presets_of_phantoms_are_those_that_can_be_planned() -> None:
    for preset in PRESETS:
        assert parse_config({"phantom": {"preset": preset}}).phantom.preset == preset
    assert "phantom.preset" in refuse({"phantom": {"preset": "large"}})


def test_findings_come_all_at_once_with_place_value_and_remedy() -> None:
    message = refuse(
        {
            "cleening": {},
            "video": {"max_rate": 25, "crf": 99},
            "classes": [{"name": "a", "at_rsk": True}],
            "models": {"mine": {"kindd": "cnn1d"}},
            "cohorts": {"ward": "developmnt"},
            "folds": {"n": "many"},
        }
    )
    for expected in (
        "config.yaml: cleening: no such key. Did you mean 'cleaning'?",
        "video.max_rate: no such key. Did you mean 'max_rate_hz'?",
        "video.crf: Input should be less than or equal to 40 (found 99)",
        "classes.0.at_rsk: no such key. Did you mean 'at_risk'?",
        "models.mine.kindd: no such key. Did you mean 'kind'?",
        "cohorts.ward: Input should be 'development'",
        "folds.n: Input should be a valid integer",
    ):
        assert expected in message, message


def test_a_key_like_none_lists_the_known_ones() -> None:
    assert "Known keys: by, n, file, validation_share" in refuse({"folds": {"zzz": 1}})


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([{"name": "a"}], "at least two"),
        ([{"name": "a"}, {"name": "a", "at_risk": True}], "two different names"),
        ([{"name": "a"}, {"name": "b"}], "one class at risk"),
    ],
)
def test_classes_make_sense(classes: list[dict[str, Any]], expected: str) -> None:
    assert expected in refuse({"classes": classes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sheet: a.tsv\nseed: 1\nsheet: b.tsv\n", "the key 'sheet' stands twice.*line 3"),
        ("training: {batch: 1, batch: 2}\n", "the key 'batch' stands twice"),
        ("training: !!bool maybe\n", "a tag .* does not fit"),
        ("training: !!timestamp soon\n", "a tag .* does not fit"),
        ("seed: !!int x\n", "cannot be read as YAML"),
        ("seed: !!python/object:os.system x\n", "cannot be read as YAML"),
    ],
)
def test_what_yaml_would_take_or_break_on_is_a_message(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s){said}") as caught:
        read_values(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_values_that_are_merged_may_be_said_anew(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")
    assert read_values(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


@pytest.mark.parametrize("place", ["results", "sheet", "bundle", "folds.file"])
def test_a_url_where_the_plan_itself_opens_is_refused(place: str) -> None:
    top, _, inner = place.partition(".")
    said = refuse({top: {inner: "s3://b/run"} if inner else "s3://b/run"})
    assert f"{place}: is a place of this machine, no URL" in said
    assert "--default-storage-prefix" in said


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "\t\n:", "just words"])
def test_what_is_no_mapping_is_said(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load_config(path)


LAUGHS = "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 40)}]\n" for k in range(1, 9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a\n  b: *a\n", "more than 50 levels deep"),
        ("a: &a [*a, *a]\n", "more than"),
        ("models: &a {x: {options: *a}}\n", "more than 50 levels deep"),
        (f"a0: &a0 x\n{LAUGHS}", "more than 100000 values"),
        (f"a: {'[' * 60}{']' * 60}\n", "more than 50 levels deep"),
    ],
)
def test_aliases_that_have_no_end_are_a_message(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_message_cannot_write_over_the_terminal() -> None:
    with pytest.raises(ConfigError) as caught:
        raise ConfigError("a\x1b]0;owned\x07\r\nb\u202ec\rd\te")
    assert str(caught.value) == "a\ufffd]0;owned\ufffd\nb\ufffdc\ufffdd\te"
    assert "\x1b" not in refuse({"\x1b[2Jab": 1})


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("/", "the disk's root"),
        ("//", "the disk's root"),
        ("..", "'..'"),
        ("a/../../b", "'..'"),
        ("re{s}ults", "'{'"),
        ("a}b", "'}'"),
        ("a\nb", r"'\\n'"),
        ("a\0b", "U\\+0000"),
        ("\ud800", "U\\+D800"),
        ("a\u202eb", "U\\+202E"),
        ("~nobody-of-that-name/results", "no such home folder"),
    ],
)
def test_results_go_to_a_folder_that_can_be(results: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config({"results": results})
    assert str(caught.value).startswith("config.yaml: results: ")


@pytest.mark.parametrize("results", ["results", "results/", ".", "/data/a b", "a..b", "säugling"])
def test_results_may_lie_anywhere_else(results: str) -> None:
    assert parse_config({"results": results}).results == results


def test_controls_and_homes_of_nobody_are_found_wherever_they_stand() -> None:
    values = {
        "pose": {"skeletons": ["a", "~nobody-of-that-name/b.yaml"]},
        "cohorts": {"a\x1b[31m": "new"},
        "publish": {"text": "many\nlines, ~20 infants, \N{BABY}"},
        "sheet": "\x07.tsv",
        "bundle": f"my/{'a' * 256}.zip",
    }
    with pytest.raises(ConfigError) as caught:
        parse_config(values)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "pose.skeletons.1",
        "cohorts",
        "sheet",
        "bundle",
    ]
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["9" * 100_000, 10**5000, [[1] * 9999]], ids=["text", "number", "list"]
)
def test_a_wrong_value_is_not_repeated_without_end(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"video": {"fps": value}, "seed": [value]})
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("text", ["seed: " + "9" * 5000, "a: " + "[" * 5000, "a: \x07"])
def test_yaml_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read as YAML"):
        load_config(tmp_path / "c.yaml")


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("# nothing\n")
    assert load_config(path) == Config()


def test_values_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().seed = 1  # type: ignore[misc]


def test_pages_are_in_step_with_the_code() -> None:
    assert docs.stale() == [], "run python -m fidgety.config.docs"


def test_every_key_is_documented() -> None:
    page = docs.config_page()

    def walk(schema: dict[str, Any], model: str) -> None:
        for name, value in schema.get("properties", {}).items():
            assert f"`{name}`" in page, f"{model}.{name}"
            inner = value.get("$ref", "")
            assert value.get("description") or inner, f"{model}.{name} has no description"

    schema = docs.json_schema()
    walk(schema, "Config")
    for name, definition in schema["$defs"].items():
        walk(definition, name)


def test_schema_accepts_what_the_models_accept() -> None:
    """Both say the same of the cloned file's keys, one level deep, and of an unknown key."""
    schema = docs.json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Config.model_fields)
    values = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert set(values) <= set(schema["properties"])
    assert json.loads((ROOT / "docs" / "config.schema.json").read_text()) == schema


def test_every_reason_has_a_text_and_stands_in_the_docs() -> None:
    assert set(REASON_TEXTS) == set(Reason)
    page = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    for reason in Reason:
        assert f"| `{reason.value}` | {reason.text} |" in page


def test_parts_must_be_marked_once() -> None:
    page = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="'reasons' is marked 0 times"):
        docs.fill_parts(page.replace("<!-- end reasons -->", ""))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 2, "maximum": 5}, "whole number, at least 2, at most 5"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, above 0"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "text or nothing"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "boolean"}}, "list of `true` or `false`"),
    ],
)
def test_types_in_words(schema: dict[str, Any], expected: str) -> None:
    assert docs.type_text(schema, {}) == expected


def test_fields_of_files_stand_in_the_docs() -> None:
    from fidgety.cohort_table import COLUMNS
    from fidgety.evaluation.tables import INFANT_COLUMNS, METRIC_COLUMNS
    from fidgety.video.record import VideoRecord

    page = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    known = [*COLUMNS, *METRIC_COLUMNS, *INFANT_COLUMNS, *VideoRecord.model_fields]
    known += ["position", "position_3d", "confidence", "origin", "values", "feature", "mask"]
    missing = {name for name in known if f"`{name}`" not in page}
    assert not missing


def test_every_results_file_of_the_rules_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "data-formats.md").read_text(encoding="utf-8")
    page = page.replace("`clean/`, `lifted/", "`results/pose/lifted/")
    named = set()
    for path in (ROOT / "rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        for output in re.findall(r"\n    output:\n(.*?)\n    \w+:", text, flags=re.S):
            named |= set(re.findall(r'results\("([^"]+)"', output))
    assert len(named) > 15
    for name in sorted(named):
        folder, _, file = name.rpartition("/")
        alternatives = (f"results/{name}", f"`{file}`", file.rpartition(".")[0])
        assert any(a in page for a in alternatives), f"results/{name} is in no page"
        assert folder.split("/")[0] in page
