"""Source video to standard video, and the body told from its background."""


rule standardise_video:
    input:
        video=source_video,
    output:
        video=results("video/{recording}.mp4"),
        record=results("video/{recording}.json"),
    log:
        results("logs/standardise_video/{recording}.log"),
    benchmark:
        results("benchmarks/standardise_video/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        config=section("video"),
        crop=lambda wildcards: STUDY.recordings[wildcards.recording].crop_px,
        source_sha256=checksum_of_video,
        frames=results("frames"),
        code=code_of("standardise_video", libraries=("av", "numpy")),
    message:
        "Standardise the video of {wildcards.recording}"
    script:
        "../workflow_scripts/standardise_video.py"


rule extract_background:
    input:
        video=results("video/{recording}.mp4"),
        record=results("video/{recording}.json"),
    output:
        background=results("background/{recording}.h5"),
    log:
        results("logs/extract_background/{recording}.log"),
    benchmark:
        results("benchmarks/extract_background/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(300 if CONFIG.background.method == "u2net" else 15),
    params:
        config=section(
            "background", "method", "options", "mask_side_px", "min_coverage", "min_body_frames"
        ),
        code=code_of(
            "extract_background",
            BACKGROUNDS.module(CONFIG.background.method),
            libraries=("av", "numpy"),
        ),
    message:
        "Extract the background of {wildcards.recording}"
    script:
        "../workflow_scripts/extract_background.py"
