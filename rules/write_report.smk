"""The report: overlay videos, a page an infant, the index."""

PAGE_FILES = ("fidgety/report/templates", "fidgety/report/assets")
PAGE_CLIPS = {"clips": directory(results("report/clips/{infant}"))} if WITH_CLIPS else {}


rule draw_overlay:
    input:
        unpack(overlay_inputs),
    output:
        video=results("report/media/{recording}.mp4"),
    log:
        results("logs/draw_overlay/{recording}.log"),
    benchmark:
        results("benchmarks/draw_overlay/{recording}.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(12),
    params:
        config=section("report", "faces", "overlay", "overlay_max_side_px"),
        background=section("background", "apply", "replace_colour"),
        code=code_of("draw_overlay", libraries=("av", "opencv-contrib-python-headless")),
    message:
        "Draw the overlay video of {wildcards.recording}"
    script:
        "../workflow_scripts/draw_overlay.py"


rule write_infant_page:
    input:
        predictions=results("predictions/{infant}.h5"),
        pictures=lambda wildcards: (
            results("report/pictures/{infant}").format(**wildcards) if WITH_PICTURES else []
        ),
        clean=lambda wildcards: paths("pose/clean/{recording}.h5", ASSESSED[wildcards.infant]),
        quality=lambda wildcards: paths("quality/{recording}.json", ASSESSED[wildcards.infant]),
        media=lambda wildcards: paths("report/media/{recording}.mp4", ASSESSED[wildcards.infant]),
    output:
        **PAGE_CLIPS,
        page=results("report/infants/{infant}.html"),
        figures=directory(results("report/figures/{infant}")),
    log:
        results("logs/write_infant_page/{infant}.log"),
    benchmark:
        results("benchmarks/write_infant_page/{infant}.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        infant=lambda wildcards: wildcards.infant,
        rows=lambda wildcards: rows_of(ASSESSED[wildcards.infant]),
        intervals=lambda wildcards: intervals_of(ASSESSED[wildcards.infant]),
        classes=CLASSES,
        threshold=CONFIG.evaluation.threshold,
        texts=texts_version(),
        config=section("report", without=["pictures", "pages"]),
        continuous_from=CONFIG.evaluation.continuous_from,
        bundle=ABOUT_BUNDLE,
        learned=LEARNED_FROM,
        code=code_of(
            "write_infant_page",
            libraries=("av", "jinja2", "matplotlib", "opencv-contrib-python-headless"),
            data=PAGE_FILES,
        ),
    message:
        "Write the page of infant {wildcards.infant}"
    script:
        "../workflow_scripts/write_infant_page.py"


rule write_report:
    input:
        summary=rules.evaluate.output.summary,
        metrics=rules.evaluate.output.metrics,
        infants=rules.evaluate.output.infants,
        roc=rules.evaluate.output.roc,
        calibration=rules.evaluate.output.calibration,
        benefit=rules.evaluate.output.benefit,
        characteristics=rules.evaluate.output.characteristics,
        frequency=rules.evaluate.output.frequency,
        quality=rules.evaluate.output.quality,
        reasons=rules.evaluate.output.reasons,
        roc_figure=rules.evaluate.output.roc_figure,
        calibration_figure=rules.evaluate.output.calibration_figure,
        benefit_figure=rules.evaluate.output.benefit_figure,
        frequency_figure=rules.evaluate.output.frequency_figure,
        quality_figure=rules.evaluate.output.quality_figure,
        cohort=cohort_tables,
        pages=[results(f"report/infants/{infant}.html") for infant in WITH_PAGE],
    output:
        index=results("report/index.html"),
    log:
        results("logs/write_report.log"),
    benchmark:
        results("benchmarks/write_report.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        config=section("report"),
        study=CONFIG.model_dump(mode="json", exclude=BESIDE_THE_STUDY),
        imported=len(IMPORTED),
        estimated=len(ESTIMATED),
        bundle=ABOUT_BUNDLE,
        learned=LEARNED_FROM,
        texts=texts_version(),
        code=code_of("write_report", libraries=("jinja2", "matplotlib"), data=PAGE_FILES),
    message:
        "Write the report"
    script:
        "../workflow_scripts/write_report.py"
