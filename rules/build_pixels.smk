"""Crops of the body alone, turned upright, and their optical flow: on request, `pixels`."""


rule build_pixels:
    input:
        video=results("video/{recording}.mp4"),
        record=results("video/{recording}.json"),
        background=results("background/{recording}.h5"),
        clean=results("pose/clean/{recording}.h5"),
    output:
        pixels=results("pixels/{recording}.h5"),
    log:
        results("logs/build_pixels/{recording}.log"),
    benchmark:
        results("benchmarks/build_pixels/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: 4 if CONFIG.pixels.flow == "raft" else 1
    resources:
        mem_mb=growing(3000 if CONFIG.pixels.flow == "raft" else 1500),
        runtime=600 if CONFIG.pixels.flow == "raft" else 60,
    params:
        config=section("pixels"),
        files_sha256={
            key: source_checksum(path, SOURCES)
            for key, path in CONFIG.pixels.files().items()
            if path.is_file()
        },
        code=code_of("build_pixels", libraries=("av", "opencv-contrib-python-headless")),
    message:
        "Cut the crops of {wildcards.recording} and compute their flow"
    script:
        "../workflow_scripts/build_pixels.py"


rule pixels:
    input:
        collect_pixels,
