"""Reading and writing bundles as files: nothing is believed that a checksum does not say.

An archive comes from somebody else. So names are compared with a pattern, links and anything
compressed are refused (what is stored cannot be larger than the archive), sizes are compared
before anything is read, and weights are safetensors, never pickles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fidgety.bundle.manifest import (
    CARD,
    MANIFEST,
    MEMBER,
    MODEL_FILES,
    Manifest,
    identity,
    parse_manifest,
)
from fidgety.errors import ConfigError, FidgetyError
from fidgety.files import atomic_path

#: Largest sizes: of text files, and of all files together.
MAX_TEXT_BYTES = 64 * 2**20
MAX_BYTES = 64 * 2**30
MAX_FILES = 20_000
CHUNK = 2**20
AGAIN = "Copy it again, and compare its checksum with the one that its makers give."
#: Snakemake's own mark in a folder that it wrote.
MARKS = frozenset({".snakemake_timestamp"})
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest was read.

    Parameters
    ----------
    path
        Folder or archive.
    identity
        Checksum of the manifest, and so of all content.
    manifest
        What is in it.
    """

    path: Path
    identity: str
    manifest: Manifest

    @property
    def where(self) -> str:
        """How messages name it."""
        return _where(self.path)

    def about(self) -> dict[str, Any]:
        """Return what pages say of it."""
        made_of = self.manifest.training
        return {
            "identity": self.identity,
            "version": self.manifest.fidgety_version,
            "infants": dict(made_of.infants),
            "phantoms": made_of.phantoms,
            "licence": self.manifest.licence,
            "contact": self.manifest.contact,
        }


def _where(path: Path) -> str:
    return f"bundle: {path}"


Opener = Callable[[str], IO[bytes]]


@dataclass(frozen=True)
class _Files:
    """The files of a bundle: their sizes, and how one is opened."""

    sizes: Mapping[str, int]
    open: Opener


def _check_name(name: str, where: str) -> None:
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ":" in name or ".." in parts or "\0" in name:
        raise ConfigError(
            f"{where}: holds a file whose name leads out of the bundle ({name!r}). No bundle of "
            "fidgety does: do not use it, and tell whom you have it from."
        )
    if not MEMBER.fullmatch(name):
        raise ConfigError(
            f"{where}: holds {name!r}, which is no file of a bundle. Take it out, or ask for the "
            "bundle anew."
        )


def _check_sizes(sizes: Mapping[str, int], where: str) -> None:
    large = [
        n for n, size in sizes.items() if n.endswith((".json", ".md")) and size > MAX_TEXT_BYTES
    ]
    if large or sum(sizes.values()) > MAX_BYTES or len(sizes) > MAX_FILES:
        what = f"{large[0]} has {sizes[large[0]]} bytes" if large else "its files are too large"
        raise ConfigError(
            f"{where}: is refused for its size ({what}). A bundle holds at most "
            f"{MAX_FILES} files of {MAX_BYTES // 2**30} GiB together, and text files of "
            f"{MAX_TEXT_BYTES // 2**20} MiB."
        )


def _folder_files(folder: Path, where: str) -> _Files:
    sizes: dict[str, int] = {}
    todo = [folder]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_symlink():
                    raise ConfigError(
                        f"{where}: {name!r} is a link, and a bundle has none. Put the file itself "
                        "there, or ask for the bundle anew."
                    )
                if entry.is_dir():
                    todo.append(Path(entry.path))
                    continue
                if name in MARKS:
                    continue
                _check_name(name, where)
                if not entry.is_file():
                    raise ConfigError(f"{where}: {name!r} is no file. Ask for the bundle anew.")
                sizes[name] = entry.stat().st_size
                if len(sizes) > MAX_FILES:
                    _check_sizes(sizes, where)
    return _Files(sizes, lambda name: open(folder / name, "rb"))


def _archive_files(archive: zipfile.ZipFile, size: int, where: str) -> _Files:
    sizes: dict[str, int] = {}
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        _check_sizes(dict.fromkeys(map(str, range(len(entries))), 0), where)
    for entry in entries:
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        if kind == stat.S_IFLNK:
            raise ConfigError(
                f"{where}: {name!r} is a link, and a bundle has none. Do not use it, and tell whom "
                "you have it from."
            )
        _check_name(name, where)
        if kind not in (0, stat.S_IFREG) or name in sizes:
            raise ConfigError(
                f"{where}: {name!r} stands in it twice, or is no plain file. Ask for the bundle "
                "anew."
            )
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ConfigError(
                f"{where}: {name!r} is compressed or encrypted, and `snakemake bundle` stores "
                "files as they are: somebody packed it anew. Take the archive as it was published, "
                "or unpack it and name the folder."
            )
        sizes[name] = entry.file_size
    if sum(sizes.values()) > size:
        raise ConfigError(
            f"{where}: says that its files are larger than the archive itself. No bundle of "
            "fidgety does: do not use it, and tell whom you have it from."
        )
    return _Files(sizes, archive.open)


@contextlib.contextmanager
def _reading(where: str) -> Iterator[None]:
    """Tell in one way what goes wrong in reading; nothing is written inside of it."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
    ) as error:
        raise ConfigError(f"{where}: the archive is damaged ({error}). {AGAIN}") from None
    except OSError as error:
        reason = error.strerror or "damaged"
        raise ConfigError(f"{where}: cannot be read ({reason}). {AGAIN}") from None


def _open(path: Path, where: str, stack: contextlib.ExitStack) -> _Files:
    """Open a folder or an archive; the stack closes it."""
    if path.is_dir():
        return _folder_files(path, where)
    if not path.is_file():
        raise ConfigError(
            f"{where}: there is no such file or folder. Paths start from the folder in which "
            "you run snakemake."
        )
    with open(path, "rb") as file:
        head = file.read(4)
    if head[:2] != b"PK":
        raise ConfigError(
            f"{where}: is no bundle: neither a folder nor a ZIP archive. Name the bundle.zip "
            "that `snakemake bundle` wrote, or its folder."
        )
    archive = stack.enter_context(zipfile.ZipFile(path))
    return _archive_files(archive, path.stat().st_size, where)


@contextlib.contextmanager
def _files(path: Path) -> Iterator[_Files]:
    """Open a folder or an archive, whose files have sizes that a bundle may have."""
    where = _where(path)
    with contextlib.ExitStack() as stack:
        with _reading(where):
            files = _open(path, where, stack)
        _check_sizes(files.sizes, where)
        yield files


def _read_text(files: _Files, name: str, where: str) -> bytes:
    """Read a small file whole; its size was checked."""
    with _reading(where), files.open(name) as file:
        return file.read(MAX_TEXT_BYTES + 1)


def _blocks(files: _Files, name: str, where: str) -> Iterator[bytes]:
    """Read a file piece by piece; what is done with a piece is none of the reading."""
    with contextlib.ExitStack() as stack:
        with _reading(where):
            source = stack.enter_context(files.open(name))
        while True:
            with _reading(where):
                block = source.read(CHUNK)
            if not block:
                return
            yield block


def _check_description(content: bytes, name: str, manifest: Manifest, where: str) -> None:
    """Check that a ``model.json`` is of the model and fold that its place says."""
    _, model, fold, _ = name.split("/")
    try:
        said = json.loads(content.decode("utf-8"))
        found = (
            said["schema"],
            said["model"],
            said["kind"],
            said["fold"],
            said["weights"],
            said["weights_sha256"],
            said["classes"],
            said["at_risk"],
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{where}: {name} describes no model. Ask for the bundle anew.") from None
    weights = manifest.files[name.replace(*MODEL_FILES)]
    wanted = (
        "model/1",
        model,
        manifest.models[model].kind,
        int(fold.removeprefix("fold-")),
        MODEL_FILES[1],
        weights.sha256,
        [c.name for c in manifest.classes],
        [c.at_risk for c in manifest.classes],
    )
    if found != wanted:
        raise ConfigError(
            f"{where}: {name} belongs to another model, fold or other weights than its place says. "
            "Ask for the bundle anew."
        )


def _read_manifest(files: _Files, path: Path) -> Bundle:
    where = _where(path)
    if MANIFEST not in files.sizes:
        raise ConfigError(
            f"{where}: is no bundle: it has no {MANIFEST}. Name the bundle.zip that `snakemake "
            "bundle` wrote, or its folder."
        )
    content = _read_text(files, MANIFEST, where)
    return Bundle(path, identity(content), parse_manifest(content, where))


Keeper = Callable[[str], contextlib.AbstractContextManager[IO[bytes] | None]]


def _verify(files: _Files, bundle: Bundle, keep: Keeper) -> None:
    """Check every file against the manifest, handing its content to where it is kept."""
    where, listed = bundle.where, bundle.manifest.files
    missing = sorted(set(listed) - set(files.sizes))
    if missing:
        raise ConfigError(
            f"{where}: lacks {', '.join(missing[:5])}"
            f"{f' and {len(missing) - 5} more' if len(missing) > 5 else ''}. {AGAIN}"
        )
    extra = sorted(set(files.sizes) - set(listed) - {MANIFEST})
    if extra:
        raise ConfigError(
            f"{where}: holds {extra[0]!r}, which its {MANIFEST} does not know. Take it out, or ask "
            "for the bundle anew."
        )
    for name, entry in sorted(listed.items()):
        digest = hashlib.sha256()
        fits = files.sizes[name] == entry.bytes
        if fits:
            whole = b""
            with keep(name) as target:
                for block in _blocks(files, name, where):
                    digest.update(block)
                    if target is not None:
                        target.write(block)
                    if name.endswith(".json"):
                        whole += block
            fits = digest.hexdigest() == entry.sha256
        if not fits:
            raise ConfigError(
                f"{where}: the checksum of {name} is not the one in its {MANIFEST}: the file is "
                f"damaged or was changed. {AGAIN}"
            )
        if name.endswith(".json"):
            _check_description(whole, name, bundle.manifest, where)


def open_bundle(path: str | os.PathLike[str], *, verify: bool = True) -> Bundle:
    """Open a bundle.

    Parameters
    ----------
    path
        Folder or archive.
    verify
        Whether to read every file and check it, too; without it the manifest alone is read.

    Raises
    ------
    ConfigError
        If it is no bundle, damaged, of another format, or holds what no bundle holds.
    """
    place = Path(path).expanduser()
    with _files(place) as files:
        bundle = _read_manifest(files, place)
        if verify:
            _verify(files, bundle, lambda name: contextlib.nullcontext())
    return bundle


def unpack_models(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], expected: str
) -> Bundle:
    """Write the models of a bundle below a folder, each file checked before it is in its place.

    Parameters
    ----------
    path
        Folder or archive.
    folder
        Gets ``{model}/fold-{k}/model.json`` and the weights beside.
    expected
        Identity that the bundle had when the work was planned.

    Raises
    ------
    ConfigError
        As :func:`open_bundle`, and if it is not the bundle that was planned with.
    FidgetyError
        If the models cannot be written.
    """
    place, target = Path(path).expanduser(), Path(folder)
    try:
        with contextlib.ExitStack() as stack, _files(place) as files:
            bundle = _read_manifest(files, place)
            if bundle.identity != expected:
                raise ConfigError(f"{bundle.where}: changed meanwhile. Run the workflow again.")

            def keep(name: str) -> contextlib.AbstractContextManager[IO[bytes] | None]:
                if name == CARD:
                    return contextlib.nullcontext()
                final = target / name.removeprefix("models/")
                return open(stack.enter_context(atomic_path(final)), "wb")

            _verify(files, bundle, keep)
    except OSError as error:
        # Those of reading were told as such.
        raise FidgetyError(
            f"{target}: cannot be written ({error.strerror or error}). Make room there, or see "
            "that you may write there, and run the workflow again."
        ) from None
    return bundle


def pack(folder: str | os.PathLike[str], archive: str | os.PathLike[str]) -> None:
    """Write the archive of a bundle's folder: equal files are equal bytes.

    Raises
    ------
    FidgetyError
        If the folder is not a whole bundle.
    """
    source = Path(folder)
    try:
        names = [MANIFEST, *sorted(open_bundle(source).manifest.files)]
    except ConfigError as error:
        raise FidgetyError(f"the bundle that was written is not whole: {error}") from None
    with atomic_path(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in names:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            entry.file_size = (source / name).stat().st_size
            with open(source / name, "rb") as content, packed.open(entry, "w") as place:
                while block := content.read(CHUNK):
                    place.write(block)
