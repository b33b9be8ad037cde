"""Frames to label by hand, and a pose model that is fine-tuned on them."""


rule choose_frames:
    input:
        unpack(labelling_inputs),
    output:
        picked=results("labelling/frames/{recording}.h5"),
    log:
        results("logs/choose_frames/{recording}.log"),
    benchmark:
        results("benchmarks/choose_frames/{recording}.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        n=CONFIG.labelling.frames_per_video,
        keypoints=LABELLED_SKELETON["keypoints"],
        infant=lambda wildcards: STUDY.recordings[wildcards.recording].infant,
        seed=SEED,
        code=code_of(
            "choose_frames",
            libraries=("av", "numpy", "opencv-contrib-python-headless", "scikit-learn"),
        ),
    message:
        "Choose frames of {wildcards.recording} to label"
    script:
        "../workflow_scripts/choose_frames.py"


rule pick_frames:
    input:
        picked=picked_frames,
    output:
        table=results("labelling/frames.tsv"),
    log:
        results("logs/pick_frames.log"),
    benchmark:
        results("benchmarks/pick_frames.tsv")
    conda:
        "../envs/trackers.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=30,
    params:
        config=section("labelling"),
        skeleton=LABELLED_SKELETON,
        code=code_of("pick_frames", libraries=("numpy", "pandas", "pillow", "tables")),
    message:
        "Write the frames to label, for {params.config[formats]}"
    script:
        "../workflow_scripts/pick_frames.py"


rule train_pose_model:
    input:
        labels=pose_labels,
    output:
        checkpoint=results("pose_training/model.pth"),
        config=results("pose_training/config.py"),
        history=results("pose_training/history.tsv"),
        report=results("pose_training/report.json"),
    log:
        results("logs/train_pose_model.log"),
    benchmark:
        results("benchmarks/train_pose_model.tsv")
    conda:
        "../envs/vision.yaml"
    threads: CONFIG.pose_training.threads
    resources:
        mem_mb=growing(8000),
        runtime=1440,
        gpu=one_gpu(
            CONFIG.pose_training.device == "gpu"
            or (CONFIG.pose_training.device == "auto" and GPUS > 0)
        ),
    params:
        config=section("pose_training", without=("device",)),
        device=apart(CONFIG.pose_training.device),
        infants=labelled_infants,
        external=lambda wildcards: [
            r for r in labelled_infants(wildcards) if STUDY.role(r) == Role.EXTERNAL
        ],
        files_sha256=checksums_of_labels,
        seed=SEED,
        work=results("work/pose_training"),
        code=code_of(
            "train_pose_model",
            libraries=("mmcv-lite", "mmengine", "mmpose", "numpy", "pycocotools", "torch"),
        ),
    message:
        "Fine-tune {params.config[config]} on labelled frames"
    script:
        "../workflow_scripts/train_pose_model.py"
