"""What the machinery measures on phantoms, against their truth."""

RENDERED = sorted(r for r, spec in PHANTOMS.items() if spec.kind == "video")


rule validate_phantoms:
    input:
        truth=[results(f"phantom/{r}/truth.h5") for r in RENDERED],
        records=[results(f"video/{r}.json") for r in RENDERED],
        backgrounds=[results(f"background/{r}.h5") for r in RENDERED],
        poses=[results(f"pose/raw/{r}.h5") for r in RENDERED],
        lifted=[results(f"pose/lifted/{r}.h5") for r in RENDERED],
        summary=rules.evaluate.output.summary,
    output:
        table=results("validation/phantoms.tsv"),
        text=results("validation/phantoms.txt"),
    log:
        results("logs/validate_phantoms.log"),
    benchmark:
        results("benchmarks/validate_phantoms.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=30,
    params:
        recordings=RENDERED,
        tracks=len(PHANTOMS) - len(RENDERED),
        code=code_of("validate_phantoms"),
    message:
        "Compare {params.recordings} with their truth"
    script:
        "../workflow_scripts/validate_phantoms.py"


rule validate:
    input:
        results("report/index.html"),
        rules.validate_phantoms.output.text,
