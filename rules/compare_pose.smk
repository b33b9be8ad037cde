"""Comparison of trackers on the same videos: `snakemake compare_pose`."""


rule estimate_compared_pose:
    input:
        video=results("video/{recording}.mp4"),
        record=results("video/{recording}.json"),
        background=results("background/{recording}.h5"),
    output:
        pose=results("compare/pose/{backend}/{recording}.h5"),
    log:
        results("logs/estimate_compared_pose/{backend}/{recording}.log"),
    benchmark:
        results("benchmarks/estimate_compared_pose/{backend}/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: lambda wildcards: compared_options(wildcards).max_threads
    resources:
        mem_mb=growing(lambda wildcards: compared_options(wildcards).mem_mb),
        runtime=lambda wildcards: compared_options(wildcards).runtime_min,
        gpu=lambda wildcards: one_gpu(compared_options(wildcards).wants_gpu(GPUS)),
    params:
        config=lambda wildcards: pose_section(
            **COMPARED[wildcards.backend].model_dump(mode="json", include={"method", "options"})
        ),
        device=apart(lambda wildcards: device_of(compared_options(wildcards))),
        files_sha256=lambda wildcards: {
            key: source_checksum(path, SOURCES)
            for key, path in compared_options(wildcards).files().items()
        },
        background=section("background", "apply", "replace_colour"),
        code=lambda wildcards: code_of(
            "estimate_pose",
            ESTIMATORS.module(COMPARED[wildcards.backend].method),
            libraries=("av", "opencv-contrib-python-headless"),
        ),
    message:
        "Estimate the pose of {wildcards.recording} with {wildcards.backend}"
    script:
        "../workflow_scripts/estimate_pose.py"


rule compare_pose:
    input:
        poses=[results(f"compare/pose/{b}/{r}.h5") for b, r in COMPARED_JOBS],
        benchmarks=[
            results(f"benchmarks/estimate_compared_pose/{b}/{r}.tsv") for b, r in COMPARED_JOBS
        ],
        records=[results(f"video/{r}.json") for r in COMPARED_RECORDINGS],
        truths=[results(f"phantom/{r}/truth.h5") for r in COMPARED_RECORDINGS if r in PHANTOMS],
        annotations=[ancient(str(path)) for path in COMPARED_ANNOTATIONS.values()],
    output:
        page=results("compare/pose.html"),
        text=results("compare/pose.txt"),
        figures=results("compare/pose.tsv"),
        agreement=results("compare/pose-agreement.tsv"),
        json=results("compare/pose.json"),
        plot=results("compare/pose.svg"),
    log:
        results("logs/compare_pose.log"),
    benchmark:
        results("benchmarks/compare_pose.tsv")
    conda:
        "../envs/vision.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=30,
    params:
        config=section("compare_pose", "cleaned"),
        backends={name: b.model_dump(mode="json") for name, b in COMPARED.items()},
        jobs=COMPARED_JOBS,
        infants={r: STUDY.recordings[r].infant for r in COMPARED_RECORDINGS},
        phantoms=[r for r in COMPARED_RECORDINGS if r in PHANTOMS],
        annotations_of=list(COMPARED_ANNOTATIONS),
        annotations_sha256=[
            source_checksum(path, SOURCES) for path in COMPARED_ANNOTATIONS.values()
        ],
        cleaning=section("cleaning"),
        seed=SEED,
        texts=texts_version(),
        code=code_of(
            "compare_pose",
            libraries=("jinja2", "matplotlib", "numpy", "pycocotools", "scipy"),
            data=PAGE_FILES,
        ),
    message:
        "Compare the trackers"
    script:
        "../workflow_scripts/compare_pose.py"
