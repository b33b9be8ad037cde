"""Write the reading pages of all raters, and the key that says whom a code stands for."""

from dataclasses import replace
from pathlib import Path

from fidgety.config.reading import ReadingConfig
from fidgety.errors import ConfigError
from fidgety.evaluation.predictions import read_infant
from fidgety.files import atomic_directory, write_json, write_text
from fidgety.reading.page import (
    copy_video,
    link_video,
    model_help,
    page_name,
    reading_page,
    video_folder,
    why_left_out,
)
from fidgety.reading.plan import Coded, Shown, plan_reading
from fidgety.report.clips import overlay_length_s
from fidgety.video.read import video_info
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Deal the codes, copy the videos under them, write a page a sitting."""
    config = ReadingConfig.model_validate(dict(job.params.config))
    if not config.raters:
        raise ConfigError("reading.raters: name at least one rater to make reading pages.")
    recordings = [str(row["recording"]) for row in job.params.rows]
    # Without help the picture alone, with help the skeleton over it.
    plain = dict(zip(recordings, map(Path, job.input.plain), strict=True))
    helped = dict(zip(recordings, map(Path, job.input.helped), strict=True))
    said = dict(zip(recordings, map(str, job.input.predictions), strict=True))
    lengths = {
        recording: min(overlay_length_s(plain[recording]), overlay_length_s(helped[recording]))
        for recording in recordings
    }
    left_out = {}
    for row in job.params.rows:
        reason = why_left_out(
            read_infant(said[row["recording"]]), lengths[row["recording"]], config
        )
        if reason is not None:
            left_out[str(row["infant"])] = reason
    coded = [
        Coded(row["recording"], row["infant"], lengths[row["recording"]])
        for row in job.params.rows
        if row["infant"] not in left_out
    ]
    if not coded:
        raise ConfigError("reading: no infant to read has a video and is assessable.")
    sizes = [video_info(plain[one.recording]) for one in coded]
    sides = [max(info.width_px, info.height_px) for info in sizes]
    shown = Shown(str(job.params.faces), min(sides), max(sides), config.kbps)
    key = plan_reading(coded, config, int(job.params.seed), shown)
    key = replace(key, left_out=left_out)
    helps = {
        code: model_help(
            read_infant(said[one.recording]),
            one.recording,
            one.duration_s,
            job.params.get("model"),
            config.clips,
        )
        for code, one in key.codes.items()
    }
    with atomic_directory(str(job.output.pages)) as folder:
        copied: dict[tuple[str, bool], Path] = {}
        for sitting in key.sittings:
            place = folder / video_folder(sitting)
            place.mkdir()
            videos = helped if sitting.help else plain
            for code in sitting.codes:
                recording, target = key.codes[code].recording, place / f"{code}.mp4"
                if (recording, sitting.help) in copied:
                    link_video(copied[recording, sitting.help], target)
                else:
                    copy_video(videos[recording], target)
                    copied[recording, sitting.help] = target
            page = reading_page(sitting, key, helps, config, bool(job.params.phantoms))
            write_text(folder / page_name(sitting), page)
    write_json(job.output.key, key.as_dict())
    print(f"{len(coded)} recordings, {len(key.sittings)} pages; left out: {left_out}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
