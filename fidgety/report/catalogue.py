"""The texts of the pages in one place, for translation: a gettext catalogue of the templates.

Texts that are put together in Python are in :mod:`fidgety.report.wording`, those of the reading
page in :mod:`fidgety.reading.texts`. ``python -m fidgety.report.catalogue`` writes the catalogue.
"""

from __future__ import annotations

import sys

from jinja2.ext import extract_from_ast

from fidgety.files import write_text
from fidgety.report.pages import HERE, environment

#: Templates whose texts are translated: all of them.
TEMPLATES = tuple(sorted(path.name for path in (HERE / "templates").glob("*.html")))
CATALOGUE = HERE / "locale" / "fidgety.pot"
_HEAD = """\
# Texts of the report's pages. Written by `python -m fidgety.report.catalogue`.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def texts() -> dict[str, list[str]]:
    """Return every text of the templates, and which of them have it, in their order."""
    found: dict[str, list[str]] = {}
    for name in TEMPLATES:
        source = (HERE / "templates" / name).read_text(encoding="utf-8")
        for _, _, said in extract_from_ast(environment().parse(source)):
            # With values to fill in, they follow the text.
            text = said if isinstance(said, str) else str((said or ("",))[0])
            where = found.setdefault(text, [])
            if name not in where:
                where.append(name)
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def catalogue() -> str:
    """Return the catalogue as a ``.pot`` file."""
    entries = [
        f'#: {" ".join(where)}\n#, python-format\nmsgid {_quoted(text)}\nmsgstr ""\n'
        for text, where in texts().items()
    ]
    return "\n".join([_HEAD, *entries])


def main() -> None:
    """Write the catalogue, or with ``--check`` tell whether it is that of the templates.

    Raises
    ------
    SystemExit
        If it is not.
    """
    if "--check" in sys.argv:
        if CATALOGUE.read_text(encoding="utf-8") != catalogue():
            raise SystemExit(f"{CATALOGUE}: write it anew: python -m fidgety.report.catalogue")
        return
    write_text(CATALOGUE, catalogue())


if __name__ == "__main__":
    main()
