"""`snakemake reading` and `readings`: blind pages out, marks back in, on the real Snakefile."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from fidgety.video.read import video_info
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow


def test_a_reading_study_runs_from_pages_to_agreement(tiny_copy: Workflow) -> None:
    tiny_copy.configure(reading={"raters": ["r1", "r2"]})
    assert tiny_copy.planned() == {}  # it changes nothing of the report
    tiny_copy.run("reading", "--cores", "1")
    folder = tiny_copy.folder / "results" / "reading"
    key = json.loads((folder / "key.json").read_text())
    hidden = {one[what] for one in key["codes"].values() for what in ("recording", "infant")}
    pages = sorted((folder / "pages").glob("*.html"))
    assert [p.stem for p in pages] == ["r1-1", "r1-2", "r2-1", "r2-2"]
    assert not any(name in page.read_text() for page in pages for name in hidden)
    helped = {code: s["help"] for s in key["sittings"] for code in s["codes"]}
    shown = {v.stem: v for v in (folder / "pages").glob("videos-*/*.mp4")}
    for code, one in key["codes"].items():
        drawn = folder / "helped" / f"{one['recording']}.mp4"
        bare = (folder / "plain" / drawn.name).read_bytes()
        overlay = drawn.read_bytes()
        assert shown[code].read_bytes() == (overlay if helped[code] else bare)
        whole = video_info(tiny_copy.folder / "results" / "video" / drawn.name)
        for video in (drawn, folder / "plain" / drawn.name):
            size = video_info(video)
            assert (size.width_px, size.height_px) == (whole.width_px, whole.height_px)
        assert bare != overlay, "without help there is no skeleton"
    videos = list(shown.values())
    assert {v.stem for v in videos} == set(key["codes"])
    assert {v.stat().st_mtime for v in videos} == {0}
    assert not any(name.encode() in video.read_bytes() for video in videos for name in hidden)

    (tiny_copy.folder / "readings").mkdir()
    for sitting in key["sittings"]:
        readings = [
            {"code": code, "intervals": [[1, 3]], "answers": {"verdict": "not_at_risk"}}
            for code in sitting["codes"]
        ]
        day = 10 * sitting["period"]
        content = {
            **{name: sitting[name] for name in ("rater", "period", "help")},
            "format": "fidgety-reading/1",
            "study": key["study"],
            "started": f"2026-01-{day}T10:00:00Z",
            "saved": f"2026-01-{day}T11:00:00Z",
            "readings": readings,
        }
        name = f"{sitting['rater']}-{sitting['period']}.json"
        (tiny_copy.folder / "readings" / name).write_text(json.dumps(content))
    tiny_copy.run("readings", "--cores", "1")
    marked = pd.read_csv(folder / "intervals.tsv", sep="\t")
    assert set(marked["movement"]) == {"fidgety"}
    assert set(marked["rater"]) == {"r1", "r1+model", "r2", "r2+model"}
    assert (folder / "index.html").exists()

    bad = tiny_copy.folder / "readings" / "r1-1.json"
    bad.write_text(bad.read_text().replace("[[1, 3]]", "[[1, 3], [2, 4]]"))
    done = tiny_copy.run("readings", "--cores", "1", ok=False)
    assert done.returncode != 0
    assert "r1-1.json: reading 1: interval 2 to 4 s overlaps another" in done.stdout + done.stderr
