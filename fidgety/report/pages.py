"""The pages: one an infant and the index, from Jinja2 templates with escaping always on.

A page carries its style and script in it and names no other host, so that the folder opens
from disk without a network; only videos lie beside it.
"""

from __future__ import annotations

import base64
import gettext
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
from markupsafe import Markup

from fidgety import __version__
from fidgety.errors import Outcome
from fidgety.report import language, wording

if TYPE_CHECKING:
    # Figures' libraries, which pages without lanes do without.
    from fidgety.report.lanes import Group
    from fidgety.report.timeline import Mark, Strip

HERE = Path(__file__).parent


def script_hash(script: str) -> str:
    """Return the checksum by which browsers tell our script from any other."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


@cache
def environment(texts: gettext.NullTranslations | None = None) -> jinja2.Environment:
    """Return the template environment; what is undefined is an error.

    Parameters
    ----------
    texts
        Translation of the templates' texts; English as they are by default.
    """
    made = jinja2.Environment(
        extensions=["jinja2.ext.i18n"],
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The extension gives the environment this method.
    made.install_gettext_translations(texts or gettext.NullTranslations(), newstyle=True)  # type: ignore[attr-defined]
    made.filters |= {
        "number": wording.number,
        "percent": wording.percent,
        "reason": wording.not_assessable,
    }
    script = (HERE / "assets" / "script.js").read_text(encoding="utf-8")
    made.globals |= {
        "version": __version__,
        "interval": wording.interval,
        "count": wording.count,
        # Our own files, not the user's: they go into the page as they are.
        "style": Markup((HERE / "assets" / "style.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": script_hash(script),
        "phantom_banner": wording.PHANTOM_BANNER,
        "bundled_phantoms": wording.BUNDLED_PHANTOMS,
        "bundle_words": wording.bundle_words,
        "what_it_is": wording.WHAT_IT_IS,
        "what_it_is_not": wording.WHAT_IT_IS_NOT,
        "limits": wording.LIMITS,
    }
    return made


def render(template: str, **values: Any) -> str:
    """Fill a template, in the report's language."""
    return environment(language.current()).get_template(template).render(**values)


def relative(target: str | os.PathLike[str], page: str | os.PathLike[str]) -> str:
    """Return the link from a page to a file beside or below it."""
    return Path(os.path.relpath(target, Path(page).parent)).as_posix()


def to_tsv(table: pd.DataFrame) -> str:
    """Write a table as text, equal for equal figures."""
    return str(table.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n"))


@dataclass(frozen=True)
class Download:
    """A file that the page carries in itself.

    Parameters
    ----------
    name, what
        File name, and what is in it.
    href
        ``data:`` link.
    """

    name: str
    what: str
    href: str


_TYPES = {
    ".tsv": "text/tab-separated-values",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


def pack(name: str, content: bytes, what: str) -> Download:
    """Pack a small text file's content into a link."""
    kind = _TYPES.get(Path(name).suffix, "application/octet-stream")
    encoded = base64.b64encode(content).decode("ascii")
    return Download(name, what, f"data:{kind};base64,{encoded}")


def download(path: str | os.PathLike[str], what: str) -> Download:
    """Pack a small text file into a link, as it is."""
    return pack(Path(path).name, Path(path).read_bytes(), what)


@dataclass(frozen=True)
class RecordingView:
    """A recording on an infant's page.

    Parameters
    ----------
    recording
        Id.
    outcome
        Of the pose: whether there is anything to show.
    characteristics
        Column of the sheet to value.
    video
        Link to the overlay video; empty if there is none.
    poster
        ``data:`` link of a picture of it, which stands in its place until it is loaded.
    duration_s
        Length of the timeline.
    strips, annotated
        Rows of the timeline: models, and raters.
    alone
        Model to the probability of being at risk from this recording by itself; empty where
        the infant has no other.
    quality
        Measure to its value as text.
    lanes
        Quality and trajectories on the timeline's axis.
    files
        Link, name and content of figures and data to save.
    """

    recording: str
    outcome: Outcome
    characteristics: Mapping[str, str]
    video: str
    poster: str
    duration_s: float
    strips: Sequence[Strip]
    annotated: Mapping[str, Sequence[Mark]]
    alone: Mapping[str, float]
    quality: Mapping[str, str]
    lanes: Sequence[Group]
    files: Sequence[tuple[str, str, str]] = ()
