"""Pose: estimated or imported, then cleaned and lifted."""


rule estimate_pose:
    input:
        video=results("video/{recording}.mp4"),
        record=results("video/{recording}.json"),
        background=results("background/{recording}.h5"),
    output:
        pose=results("pose/raw/{recording}.h5"),
    log:
        results("logs/estimate_pose/{recording}.log"),
    benchmark:
        results("benchmarks/estimate_pose/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: POSE_OPTIONS.max_threads
    resources:
        mem_mb=growing(POSE_OPTIONS.mem_mb),
        runtime=POSE_OPTIONS.runtime_min,
        gpu=one_gpu(POSE_OPTIONS.wants_gpu(GPUS)),
    params:
        config=pose_section(),
        device=apart(device_of(POSE_OPTIONS)),
        files_sha256=checksums_of_pose_files,
        background=section("background", "apply", "replace_colour"),
        code=code_of(
            "estimate_pose",
            ESTIMATORS.module(CONFIG.pose.method),
            libraries=("av", "opencv-contrib-python-headless"),
        ),
    message:
        "Estimate the pose of {wildcards.recording}"
    script:
        "../workflow_scripts/estimate_pose.py"


rule import_pose:
    input:
        unpack(track_inputs),
    output:
        pose=results("pose/imported/{recording}.h5"),
    log:
        results("logs/import_pose/{recording}.log"),
    benchmark:
        results("benchmarks/import_pose/{recording}.tsv")
    conda:
        "../envs/trackers.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(3),
    params:
        config=section("pose", "keypoint_names"),
        fps=lambda wildcards: STUDY.recordings[wildcards.recording].fps,
        source_sha256=checksum_of_track,
        skeletons=[as_dict(skeleton) for skeleton in OWN_SKELETONS],
        code=code_of(
            "import_pose",
            *IMPORTER_MODULES,
            libraries=("h5netcdf", "h5py", "pandas", "scipy", "sleap-io", "xarray"),
        ),
    message:
        "Import the tracks of {wildcards.recording}"
    script:
        "../workflow_scripts/import_pose.py"


rule clean_pose:
    input:
        unpack(cleaning_inputs),
    output:
        **LIFTED_WITH_CLEANING,
        clean=results("pose/clean/{recording}.h5"),
    log:
        results("logs/clean_pose/{recording}.log"),
    benchmark:
        results("benchmarks/clean_pose/{recording}.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(2),
    params:
        config=section("cleaning"),
        corrections_sha256=checksum_of_corrections,
        code=code_of("clean_pose", libraries=("numpy", "scipy")),
    message:
        "Clean the pose of {wildcards.recording}"
    script:
        "../workflow_scripts/clean_pose.py"
