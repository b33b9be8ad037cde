"""Lifting a 2D pose to 3D by a network; otherwise the 3D pose comes with cleaning."""


rule lift_pose:
    input:
        unpack(lifting_inputs),
    output:
        lifted=results("pose/lifted/{recording}.h5"),
    log:
        results("logs/lift_pose/{recording}.log"),
    benchmark:
        results("benchmarks/lift_pose/{recording}.tsv")
    conda:
        "../envs/vision.yaml"
    threads: LIFTING.max_threads
    resources:
        mem_mb=growing(LIFTING.mem_mb),
        runtime=growing(2),
        gpu=one_gpu(LIFTING.wants_gpu(GPUS)),
    params:
        config={**section("lifting"), "options": without_device(CONFIG.lifting.options)},
        device=apart(device_of(LIFTING)),
        cleaning=section("cleaning", "upright_3d"),
        files={name: source_checksum(path, SOURCES) for name, path in LIFTING.files().items()},
        code=code_of("lift_pose", LIFTERS.module(CONFIG.lifting.method)),
    message:
        "Lift the pose of {wildcards.recording} to 3D"
    script:
        "../workflow_scripts/lift_pose.py"
