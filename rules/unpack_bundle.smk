"""Models of a bundle, in place of folds and training."""


rule unpack_bundle:
    input:
        # By content alone: its checksum is a parameter.
        bundle=ancient(local(str(BUNDLE.path))),
    output:
        models=fold_models(MODELS),
        weights=[weights_beside(path) for path in fold_models(MODELS)],
    log:
        results("logs/unpack_bundle.log"),
    benchmark:
        results("benchmarks/unpack_bundle.tsv")
    conda:
        "../envs/learn.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=30,
    params:
        bundle=BUNDLE.identity,
        code=code_of("unpack_bundle"),
    message:
        "Unpack the models of the bundle"
    script:
        "../workflow_scripts/unpack_bundle.py"
