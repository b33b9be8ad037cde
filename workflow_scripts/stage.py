"""What every script shares: its log, its errors, its provenance.

A script looks like this::

    from workflow_scripts.stage import Job, run

    def main(job: Job) -> None:
        ...

    if __name__ == "__main__":
        run(main, snakemake, not_assessable={"pose": "pose/1"})  # noqa: F821

A script has no ``from __future__`` import: Snakemake writes lines of its own before the first.
``run`` sends what the job prints to its log, turns a :class:`~fidgety.errors.NotAssessable`
into files that carry the reason, records the checksums of what was written, and ends with the
message alone, without a traceback, on a :class:`~fidgety.errors.FidgetyError`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

from fidgety import __version__
from fidgety.checksums import CHECKSUMS_VARIABLE, record
from fidgety.errors import FidgetyError, NotAssessable
from fidgety.faults import machine_fault
from fidgety.files import dumps
from fidgety.fingerprint import library_versions
from fidgety.footnote import footnote
from fidgety.gpu_slots import take_gpu
from fidgety.locks import LOCKS_VARIABLE, hold_one
from fidgety.storage import Provenance, write_not_assessable


@dataclass
class Job:
    """A rule's job as its script sees it.

    Parameters
    ----------
    input, output, params, wildcards
        As in the rule, by name.
    threads
        Number of threads that the rule was given.
    terminal
        Stream to the user, for the few scripts that show a result; all else is logged.
    beside
        What the script has written on request, which is no output of the rule.
    """

    input: Any
    output: Any
    params: Any
    wildcards: Any
    threads: int = 1
    terminal: Any = None
    beside: list[Path] = field(default_factory=list)

    def provenance(self, *, seed: int | None = None, libraries: tuple[str, ...] = ()) -> Provenance:
        """Describe what makes this job's files.

        The rule's params ``config``, ``code`` and ``source_sha256`` are used where they exist.
        """
        params = self.params
        return Provenance(
            recording=str(self.wildcards.get("recording", "") or self.wildcards.get("infant", "")),
            parameters=dict(params.get("config", {}) or {}),
            input_sha256=str(params.get("source_sha256", "") or ""),
            code=str(params.get("code", "") or ""),
            seed=seed,
            libraries=library_versions(libraries),
        )

    def on_device(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a section or options with the device that the rule's ``params.device`` names.

        It is apart from them because another device makes no job run again.
        """
        device = self.params.get("device")
        return {**values, "device": str(device)} if device else dict(values)

    def work_folder(self, parts: Mapping[str, Any]) -> Path:
        """Return the folder for the state of this very job, below the rule's ``params.work``.

        Parameters
        ----------
        parts
            What decides the job's result. A run of the same parts finds the state; what an
            interrupted run of others left behind is removed.
        """
        base = Path(self.params.work)
        folder = base / hashlib.sha256(dumps(parts).encode()).hexdigest()[:16]
        for other in base.glob("*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return folder

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second copy of this very job waiting: both would use one folder for their state.

        There are two where the main process was killed while a cluster's job went on, and a new
        one submitted the job again.
        """
        locks = os.environ.get(LOCKS_VARIABLE)
        if not locks:
            yield
            return
        name = hashlib.sha256(os.path.abspath(self.params.work).encode()).hexdigest()[:16]
        with hold_one([Path(locks, "work", name)], "waits for another copy of this job to end"):
            yield


def _flush(stream: TextIO) -> None:
    """Write what a stream still holds; where its disk takes nothing more, drop it.

    What stayed in it would come out at the interpreter's end, on the terminal and as an error.
    """
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
            stream.flush()


def _opened_log(path: Path) -> TextIO:
    """Open a job's log, or end with the reason on the terminal."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        lacking = machine_fault(error) or f"{path}: cannot be written ({error.strerror})."
        print(f"the log cannot be begun: {lacking}", file=sys.stderr, flush=True)
        sys.exit(1)


@contextlib.contextmanager
def _log_to(path: str | None) -> Iterator[Any]:
    """Send both streams, of libraries in C too, to the log; yield the terminal's stream."""
    if not path:
        yield sys.stderr
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with _opened_log(Path(path)) as log, os.fdopen(os.dup(2), "w") as terminal:
        saved = os.dup(1), os.dup(2)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield terminal
        finally:
            # A log that its disk does not take is no fault of what the job has written.
            _flush(sys.stdout)
            _flush(sys.stderr)
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            for handle in saved:
                os.close(handle)


@contextlib.contextmanager
def _gpu_of(resources: Any) -> Iterator[None]:
    """Take a GPU of this machine if the job's rule asks for one."""
    if not resources.get("gpu"):
        yield
        return
    with take_gpu() as gpu:
        if gpu is not None:
            print(f"GPU {gpu}")
        yield


def _leave_at_once() -> NoReturn:
    """End the process with an error, without the libraries' farewells.

    HDF5 crashes at its end over what it could not write, and covers the message with its own.
    """
    _flush(sys.stdout)
    _flush(sys.stderr)
    os._exit(1)


def _with_reasons(
    main: Callable[[Job], None], job: Job, not_assessable: Mapping[str, str] | None
) -> None:
    """Do the work, or write files that carry the reason why there is no result."""
    try:
        main(job)
    except NotAssessable as error:
        if not not_assessable:
            # A reason that a script has no file for is a fault like any other.
            raise
        print(f"not assessable: {error}", file=sys.stderr)
        for name, schema in not_assessable.items():
            write_not_assessable(
                job.output[name], error, schema=schema, provenance=job.provenance()
            )


def _record(job: Job, rule: str) -> None:
    """Record the checksums of what the job has written, where the workflow wants them."""
    folder = os.environ.get(CHECKSUMS_VARIABLE)
    if not folder:
        return
    outputs = job.output.values() if isinstance(job.output, Mapping) else job.output
    code = str(job.params.get("code", "") or "")
    made_by = {"rule": rule, "version": __version__, "code": code}
    record([*map(str, outputs), *map(str, job.beside)], Path(folder), made_by)


def run(
    main: Callable[[Job], None],
    snakemake: Any,
    not_assessable: Mapping[str, str] | None = None,
) -> None:
    """Run a script's ``main``.

    Parameters
    ----------
    main
        The work.
    snakemake
        The object that Snakemake gives to scripts.
    not_assessable
        Output name to schema: files that carry the reason when there is no result.
    """
    job = Job(
        snakemake.input,
        snakemake.output,
        snakemake.params,
        snakemake.wildcards,
        snakemake.threads,
    )
    log = str(snakemake.log[0]) if snakemake.log else None
    with _log_to(log) as terminal:
        job.terminal = terminal
        try:
            note = str(job.params.get("footnote", "") or "")
            with _gpu_of(snakemake.resources), footnote(note):
                _with_reasons(main, job, not_assessable)
            _record(job, str(snakemake.rule))
        except FidgetyError as error:
            # The terminal first: the log may lie on the very disk that is full.
            print(f"{snakemake.rule}: {error}", file=terminal, flush=True)
            with contextlib.suppress(OSError):
                print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except Exception as error:
            lacking = machine_fault(error)
            said = lacking or (
                "an unexpected error; this is a fault of fidgety, please report it with the log "
                f"{log}"
            )
            print(f"{snakemake.rule}: {said}", file=terminal, flush=True)
            with contextlib.suppress(OSError):
                traceback.print_exc()
            if lacking:
                _leave_at_once()
            sys.exit(1)
