"""Whether every result file is whole, and what it was when it was written: `snakemake verify`."""

from snakemake.io import is_flagged


rule verify:
    log:
        results("logs/verify_results.log"),
    localrule: True
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=600,
    params:
        # The one that Snakemake runs in, whatever the script's environment is.
        python=sys.executable,
        config=config,
        snakefile=workflow.main_snakefile,
        options=lambda wildcards: asking_options(),
        infants=lambda wildcards: infants_with_roles(),
        outputs=lambda wildcards: [str(path) for r in workflow.rules for path in r.output],
        temporary=lambda wildcards: [
            str(path) for r in workflow.rules for path in r.output if is_flagged(path, "temp")
        ],
        command=lambda wildcards: this_command("verify"),
        results=CONFIG.results,
        table=results("verify.tsv"),
    message:
        "Verify the results"
    script:
        "../workflow_scripts/verify_results.py"
