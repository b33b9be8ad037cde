"""Blinded readings by raters: `snakemake reading` makes their pages, `readings` takes them back."""

# Every job reads this file: without raters there is nothing to look for.
READ = read_recordings() if CONFIG.reading.raters else []


#: What raters see: small movements of neck, hands and face must not be lost in the report's
#: small videos. With and without help the picture is the same.
READ_FACES = CONFIG.reading.faces or CONFIG.report.faces
READ_DRAWING = {
    "max_side_px": CONFIG.reading.max_side_px,
    "kbps": CONFIG.reading.kbps,
    "crf": CONFIG.video.crf,
}


# What raters see without help: the skeleton is the model's, and a help of a kind.
use rule draw_overlay as draw_plain_video with:
    output:
        video=results("reading/plain/{recording}.mp4"),
    log:
        results("logs/draw_plain_video/{recording}.log"),
    benchmark:
        results("benchmarks/draw_plain_video/{recording}.tsv")
    params:
        config=section("report", "overlay") | {"faces": READ_FACES},
        background=section("background", "apply", "replace_colour"),
        drawing=READ_DRAWING,
        skeleton=False,
        code=code_of("draw_overlay", libraries=("av", "opencv-contrib-python-headless")),
    message:
        "Draw the video of {wildcards.recording} without the skeleton"


use rule draw_plain_video as draw_helped_video with:
    output:
        video=results("reading/helped/{recording}.mp4"),
    log:
        results("logs/draw_helped_video/{recording}.log"),
    benchmark:
        results("benchmarks/draw_helped_video/{recording}.tsv")
    params:
        config=section("report", "overlay") | {"faces": READ_FACES},
        background=section("background", "apply", "replace_colour"),
        drawing=READ_DRAWING,
        skeleton=True,
        code=code_of("draw_overlay", libraries=("av", "opencv-contrib-python-headless")),
    message:
        "Draw the video of {wildcards.recording} with the skeleton, for raters"


rule write_reading:
    input:
        predictions=[results(f"predictions/{r.infant}.h5") for r in READ],
        plain=paths("reading/plain/{recording}.mp4", READ),
        helped=paths("reading/helped/{recording}.mp4", READ),
    output:
        pages=directory(results("reading/pages")),
        key=results("reading/key.json"),
    log:
        results("logs/write_reading.log"),
    benchmark:
        results("benchmarks/write_reading.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=30,
    params:
        rows=rows_of(READ, "recording", "infant"),
        config=section("reading", without=["returned"]),
        faces=READ_FACES,
        model=CONFIG.report.best_clips_model,
        phantoms=any(r.recording in PHANTOMS for r in READ),
        seed=SEED,
        code=code_of("write_reading", libraries=("av", "jinja2"), data=PAGE_FILES),
    message:
        "Write the reading pages"
    script:
        "../workflow_scripts/write_reading.py"


rule reading:
    input:
        rules.write_reading.output.key,


rule take_readings:
    input:
        key=rules.write_reading.output.key,
        returned=returned_files,
    output:
        intervals=results("reading/intervals.tsv"),
        readings=results("reading/readings.tsv"),
    log:
        results("logs/take_readings.log"),
    benchmark:
        results("benchmarks/take_readings.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=10,
    params:
        code=code_of("take_readings", libraries=("pandas", "pydantic")),
    message:
        "Take what the raters sent back"
    script:
        "../workflow_scripts/take_readings.py"


rule compare_readings:
    input:
        key=rules.write_reading.output.key,
        readings=rules.take_readings.output.readings,
        intervals=rules.take_readings.output.intervals,
        predictions=[results(f"predictions/{r.infant}.h5") for r in READ],
    output:
        agreement=results("reading/agreement.tsv"),
        accuracy=results("reading/accuracy.tsv"),
        figure=results("reading/accuracy.svg"),
        page=results("reading/index.html"),
    log:
        results("logs/compare_readings.log"),
    benchmark:
        results("benchmarks/compare_readings.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=60,
    params:
        rows=rows_of(READ, "recording", "infant", "label"),
        classes=CLASSES,
        age=CONFIG.reading.age,
        model=CONFIG.report.best_clips_model,
        resamples=CONFIG.evaluation.bootstrap,
        confidence=CONFIG.evaluation.confidence,
        phantoms=any(r.recording in PHANTOMS for r in READ),
        seed=SEED,
        texts=texts_version(),
        code=code_of(
            "compare_readings",
            libraries=("jinja2", "matplotlib", "scikit-learn", "statsmodels"),
            data=PAGE_FILES,
        ),
    message:
        "Compare the raters"
    script:
        "../workflow_scripts/compare_readings.py"


rule readings:
    input:
        rules.compare_readings.output.page,
