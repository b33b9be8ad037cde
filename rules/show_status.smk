"""What would run and why, infants by stage, before anything runs: `snakemake status`."""


rule status:
    log:
        results("logs/show_status.log"),
    localrule: True
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=10,
    params:
        # The one that Snakemake runs in, whatever the script's environment is.
        python=sys.executable,
        config=config,
        snakefile=workflow.main_snakefile,
        options=lambda wildcards: asking_options(),
        forced=lambda wildcards: forcing_options(),
        infants=lambda wildcards: infants_with_roles(),
        table=results("status.tsv"),
    message:
        "Ask what would run"
    script:
        "../workflow_scripts/show_status.py"
