"""The texts of the pages in one place, for translation: a gettext catalogue.

It has those of the templates, and those that modules put together by
:mod:`fidgety.report.language`. Others still stand in :mod:`fidgety.report.wording`, those of the
reading page in :mod:`fidgety.reading.texts`. ``python -m fidgety.report.catalogue`` writes it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from jinja2.ext import extract_from_ast

from fidgety.files import write_text
from fidgety.report.pages import HERE, environment

#: Templates whose texts are translated: all of them.
TEMPLATES = tuple(sorted(path.name for path in (HERE / "templates").glob("*.html")))
#: Modules whose texts are translated.
MODULES = ("alternatives.py", "described.py", "plots.py")
#: Functions of :mod:`fidgety.report.language` that are given a text to translate.
TRANSLATED = ("mark", "translate")
CATALOGUE = HERE / "locale" / "fidgety.pot"
_HEAD = """\
# Texts of the report's pages. Written by `python -m fidgety.report.catalogue`.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""


def template_texts(source: str) -> Iterator[str]:
    """Yield the texts of a template."""
    for _, _, said in extract_from_ast(environment().parse(source)):
        # With values to fill in, they follow the text.
        yield said if isinstance(said, str) else str((said or ("",))[0])


def module_texts(source: str) -> Iterator[str]:
    """Yield the texts that a module marks or translates."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in TRANSLATED
            and isinstance(text := node.args[0], ast.Constant)
        ):
            yield str(text.value)


def texts() -> dict[str, list[str]]:
    """Return every text of templates and modules, and which of them have it, in their order."""
    found: dict[str, list[str]] = {}
    for names, folder, texts_of in (
        (TEMPLATES, HERE / "templates", template_texts),
        (MODULES, HERE, module_texts),
    ):
        for name in names:
            for text in texts_of((folder / name).read_text(encoding="utf-8")):
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
    """Write the catalogue, or with ``--check`` tell whether it is that of the sources.

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
