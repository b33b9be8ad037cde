"""What a person needs to correct keypoints by hand: `snakemake review_pose`."""


rule review_recording:
    input:
        unpack(review_inputs),
    output:
        overlay=results("pose/review/{recording}/overlay.mp4"),
        pictures=directory(results("pose/review/{recording}/frames")),
        frames=results("pose/review/{recording}/frames.tsv"),
        table=results("pose/review/{recording}/corrections.csv"),
        pose=results("pose/review/{recording}/pose.nc"),
    log:
        results("logs/review_recording/{recording}.log"),
    benchmark:
        results("benchmarks/review_recording/{recording}.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(10),
    params:
        config=section("cleaning"),
        review=section("corrections", "review_frames", "review_every_s"),
        report=section("report", "faces", "overlay"),
        background=section("background", "apply", "replace_colour"),
        corrections_sha256=checksum_of_corrections,
        code=code_of(
            "review_recording", libraries=("av", "opencv-contrib-python-headless", "scipy")
        ),
    message:
        "Prepare the review of {wildcards.recording}"
    script:
        "../workflow_scripts/review_recording.py"


rule review_pose:
    input:
        paths("pose/review/{recording}/corrections.csv", recordings_of(*EVALUATED_ROLES)),
