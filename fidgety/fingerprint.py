"""Code fingerprints: a stage reruns when *its* code changes, and only then.

Snakemake sees a script, not the modules behind it. The fingerprint of a stage is a checksum
over the syntax trees, without comments and docstrings, of its script and of everything that
the script imports from this project, transitively. Registries import lazily and are left out
themselves, so a backend is part of a fingerprint only when it is named in ``extra``: adding
a model reruns no other. Modules that carry messages and plumbing but decide no value
(:data:`LEFT_OUT`) are left out as well; values of the configuration reach a job by ``params``.
Versions of the libraries that decide a stage's result are part of it, too.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from fidgety.errors import StorageError
from fidgety.files import write_text

PACKAGE = "fidgety"
ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = frozenset(
    {
        "fidgety",
        "fidgety.errors",
        "fidgety.faults",
        "fidgety.registry",
        "fidgety.fingerprint",
        "fidgety.locks",
        "fidgety.pose.together",
        "fidgety.progress",
        "workflow_scripts",
        "workflow_scripts.stage",
    }
)


def _is_left_out(name: str) -> bool:
    """Tell whether a module decides no value: plumbing, or a family's registry."""
    return name in LEFT_OUT or name.rpartition(".")[2] == "registry"


@functools.lru_cache(maxsize=65536)
def _module_path(name: str, root: Path) -> Path | None:
    """Return the file of a dotted module of this project, None if it is not one."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if (
                body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
                and isinstance(body[0].value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return tree


def _imported_names(tree: ast.Module, package: str) -> set[str]:
    """Return the dotted names of this project's modules that a syntax tree may import."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] in (PACKAGE, "workflow_scripts")}


class CodeIndex:
    """What is known of modules by their content, kept in a JSON file.

    Parsing all modules takes a second, which every call of snakemake would pay.

    Parameters
    ----------
    path
        File of the index. A damaged or foreign one is as good as none: it is written anew.
    """

    def __init__(self, path: Path) -> None:
        # Snakemake leaves the working folder before Python ends.
        self.path = Path(path).absolute()
        # Python versions do not agree on how a syntax tree is written down; and other code of this
        # module finds other things.
        own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        self.version = [own, *sys.version_info[:2]]
        self._new = False
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            known = found["modules"] if found["version"] == self.version else {}
            self._known = {
                str(key): (str(digest), frozenset(map(str, imports)))
                for key, (digest, imports) in known.items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            self._known = {}

    def lookup(self, key: str) -> tuple[str, frozenset[str]] | None:
        """Return what is known of a module with this content."""
        return self._known.get(key)

    def remember(self, key: str, digest: str, imports: frozenset[str]) -> None:
        """Keep what a module is; the index is written when Python ends."""
        self._known[key] = digest, imports
        if not self._new:
            atexit.register(self.save)
            self._new = True

    def save(self) -> None:
        """Write the index; one that cannot be written costs time, not the run."""
        modules = {k: [digest, sorted(imports)] for k, (digest, imports) in self._known.items()}
        with contextlib.suppress(OSError, StorageError):
            write_text(
                self.path,
                json.dumps({"version": self.version, "modules": modules}, sort_keys=True) + "\n",
            )


_index: CodeIndex | None = None


def keep_index(path: Path) -> None:
    """Remember across runs, in this file, what modules are."""
    global _index
    _index = CodeIndex(path)


@functools.lru_cache(maxsize=4096)
def _digest_and_imports(path: Path, mtime_ns: int, package: str) -> tuple[str, frozenset[str]]:
    source = path.read_bytes()
    key = hashlib.sha256(f"{package}\0".encode() + source).hexdigest()
    if _index is not None and (known := _index.lookup(key)) is not None:
        return known
    tree = _strip_docstrings(ast.parse(source))
    digest = hashlib.sha256(ast.dump(tree, include_attributes=False).encode()).hexdigest()
    imports = frozenset(_imported_names(tree, package))
    if _index is not None:
        _index.remember(key, digest, imports)
    return digest, imports


def _declared_libraries(path: Path) -> set[str]:
    """Return the distributions that a backend's class names in its ``libraries``.

    They are read from the source: importing a backend to plan a workflow would need its
    libraries in the environment that plans.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            target, value = node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            target, value = node.targets[0].id, node.value
        else:
            continue
        if target == "libraries" and isinstance(value, ast.Tuple):
            found |= {str(e.value) for e in value.elts if isinstance(e, ast.Constant)}
    return found


def _package_of(name: str, path: Path) -> str:
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


@functools.lru_cache(maxsize=256)
def code_fingerprint(
    script: Path,
    extra: tuple[str, ...] = (),
    libraries: tuple[str, ...] = (),
    data: tuple[str, ...] = (),
    root: Path = ROOT,
) -> str:
    """Fingerprint the code that makes a stage's result.

    Parameters
    ----------
    script
        The stage's script.
    extra
        Dotted modules that the script imports by a registry: the chosen backend. What their
        classes name in ``libraries`` counts as well.
    libraries
        Distributions whose version decides the result.
    data
        Folders below the root whose files decide the result: templates.
    root
        The folder that holds the package.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    found: dict[str, str] = {}
    decisive = set(libraries)
    todo: list[tuple[str, Path]] = [(script.name, script)]
    for name in extra:
        path = _module_path(name, root)
        if path is None:
            raise ValueError(f"no module {name!r} in {root}")
        todo.append((name, path))
        decisive |= _declared_libraries(path)
    seen = {name for name, _ in todo}
    while todo:
        name, path = todo.pop()
        digest, imports = _digest_and_imports(
            path, path.stat().st_mtime_ns, _package_of(name, path)
        )
        found[name] = digest
        for imported in imports:
            # Importing a.b.c runs a and a.b first: their __init__ modules belong to it.
            parts = imported.split(".")
            for n in range(1, len(parts) + 1):
                candidate = ".".join(parts[:n])
                child = _module_path(candidate, root)
                if child is not None and candidate not in seen and not _is_left_out(candidate):
                    seen.add(candidate)
                    todo.append((candidate, child))
    lines = [f"{name} {found[name]}" for name in sorted(found)]
    for folder in sorted(data):
        for file in sorted(p for p in (root / folder).rglob("*") if p.is_file()):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            lines.append(f"{file.relative_to(root).as_posix()} {content}")
    lines += [f"{name} {library_version(name)}" for name in sorted(decisive)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@functools.lru_cache(maxsize=1024)
def library_version(distribution: str) -> str:
    """Return an installed distribution's version without its local part, "absent" if none."""
    try:
        return importlib.metadata.version(distribution).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def library_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the versions of several distributions, by name."""
    return {name: library_version(name) for name in sorted(distributions)}
