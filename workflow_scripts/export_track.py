"""Write the tracks of a recording for other programs."""

from pathlib import Path

from fidgety.config.export import ExportConfig
from fidgety.errors import NotAssessable
from fidgety.files import atomic_directory
from fidgety.pose.exporters.folder import export_folder
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.tracks import Pose, read_pose
from fidgety.storage import read_provenance
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write every format; of a recording without tracks the reason alone."""
    config = ExportConfig.model_validate(job.params["config"])
    source = str(job.input["pose"])
    found: Pose | NotAssessable
    try:
        found = read_pose(source)
    except NotAssessable as error:
        print(f"not assessable, so there are no tracks: {error}")
        found = error
    libraries = {name for form in config.formats for name in EXPORTERS.get(form).libraries}
    provenance = job.provenance(libraries=tuple(sorted(libraries)))
    with atomic_directory(Path(str(job.output["folder"]))) as folder:
        export_folder(found, folder, config.formats, provenance, read_provenance(source))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
