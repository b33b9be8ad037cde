"""Tracks for other programs: `snakemake export_pose`."""


rule export_track:
    input:
        pose=exported_pose,
    output:
        folder=directory(results("export/{recording}")),
    log:
        results("logs/export_track/{recording}.log"),
    benchmark:
        results("benchmarks/export_track/{recording}.tsv")
    conda:
        "../envs/trackers.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(4),
    params:
        config=section("export"),
        code=code_of(
            "export_track",
            "fidgety.pose.exporters.folder",
            *[EXPORTERS.module(name) for name in CONFIG.export.formats],
        ),
    message:
        "Export the tracks of {wildcards.recording}"
    script:
        "../workflow_scripts/export_track.py"


rule export_pose:
    input:
        collect_exports,
