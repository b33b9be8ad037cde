"""Digital phantoms: videos and tracks of synthetic infants, with their truth."""

PHANTOM_LIBRARIES = ("anny", "av", "numpy", "pyvista", "scipy", "torch", "vtk")


rule render_phantom:
    output:
        video=results("phantom/{recording}/video.mp4"),
        truth=results("phantom/{recording}/truth.h5"),
    log:
        results("logs/render_phantom/{recording}.log"),
    benchmark:
        results("benchmarks/render_phantom/{recording}.tsv")
    conda:
        "../envs/phantom.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=30,
    params:
        spec=lambda wildcards: PHANTOMS[wildcards.recording].to_dict(),
        code=code_of("render_phantom", libraries=PHANTOM_LIBRARIES),
    message:
        "Render phantom {wildcards.recording}"
    script:
        "../workflow_scripts/render_phantom.py"


rule simulate_track:
    output:
        track=results("phantom/{recording}/track.nc"),
        truth=results("phantom/{recording}/track_truth.h5"),
    log:
        results("logs/simulate_track/{recording}.log"),
    benchmark:
        results("benchmarks/simulate_track/{recording}.tsv")
    conda:
        "../envs/phantom.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(3),
    params:
        spec=lambda wildcards: PHANTOMS[wildcards.recording].to_dict(),
        code=code_of("simulate_track", libraries=PHANTOM_LIBRARIES),
    message:
        "Simulate the track of phantom {wildcards.recording}"
    script:
        "../workflow_scripts/simulate_track.py"
