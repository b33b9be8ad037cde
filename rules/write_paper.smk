"""Files for a paper: `snakemake paper`."""


rule write_paper:
    input:
        metrics=rules.evaluate.output.metrics,
    output:
        methods=results("paper/methods.md"),
        parameters=results("paper/parameters.tsv"),
        checklist=results("paper/tripod-ai.tsv"),
    log:
        results("logs/write_paper.log"),
    benchmark:
        results("benchmarks/write_paper.tsv")
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=10,
    params:
        study=CONFIG.model_dump(mode="json", exclude=BESIDE_THE_STUDY),
        imported=len(IMPORTED),
        estimated=len(ESTIMATED),
        bundle=ABOUT_BUNDLE,
        code=code_of("write_paper", libraries=("pandas",), data=PAGE_FILES),
    message:
        "Write the files for a paper"
    script:
        "../workflow_scripts/write_paper.py"


rule paper:
    input:
        rules.write_paper.output.methods,
        rules.write_report.output.index,
