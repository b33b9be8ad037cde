"""Features: one HDF5 file a recording, one group a feature set."""


rule build_features:
    input:
        unpack(feature_inputs),
    output:
        features=results("features/{recording}.h5"),
        quality=results("quality/{recording}.json"),
    log:
        results("logs/build_features/{recording}.log"),
    benchmark:
        results("benchmarks/build_features/{recording}.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(2),
    params:
        config=section("features"),
        quality=section("quality"),
        code=code_of(
            "build_features",
            *[FEATURE_SETS.module(name) for name in CONFIG.features.sets],
            libraries=("numpy", "scipy"),
        ),
    message:
        "Build the features of {wildcards.recording}"
    script:
        "../workflow_scripts/build_features.py"
