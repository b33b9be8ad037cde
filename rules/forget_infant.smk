"""Erase an infant from the results: `snakemake forget --config infant=ID`."""

# A dry run tells what would go. Every rule is known here, as this file is the last one.
if is_asked_for("forget"):
    WHOM = forgotten()
    if workflow.is_main_process and {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
        print(
            told(
                find_traces(Path(CONFIG.results), all_patterns(), Whom.of(WHOM)),
                WHOM["yours"],
                "would be removed",
            )
        )


rule forget:
    log:
        results("logs/forget.log"),
    localrule: True
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=60,
    params:
        # Asked for when the job runs alone: a plan of other targets needs no infant.
        whom=lambda wildcards: forgotten(),
        rules=lambda wildcards: all_patterns(),
        results=CONFIG.results,
        hidden=".snakemake",
        storage=str(workflow.storage_settings.local_storage_prefix),
    message:
        "Forget an infant"
    script:
        "../workflow_scripts/forget_infant.py"
