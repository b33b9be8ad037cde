"""Erase an infant from the results: `snakemake forget --config infant=ID`."""


def forgotten():
    """Return whom to forget: infant, recordings, and what stays because it is the user's own.

    Raises
    ------
    WorkflowError
        If no infant is named, or nobody knows it.
    """
    if CONFIG.infant is None:
        raise WorkflowError("forget: whom? Name the infant: --config infant=ID")
    own = {name: row for name, row in STUDY.recordings.items() if row.infant == CONFIG.infant}
    tables = [path for role in Role for path in Path(CONFIG.results).glob(f"*/{role.value}.tsv")]
    try:
        recordings = set(own) | recordings_in(tables, CONFIG.infant)
        check_known(CONFIG.infant, recordings, {r.infant for r in STUDY.recordings.values()})
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None
    yours = [f"{CONFIG.sheet or 'the phantoms of the configuration'}: its rows"] if own else []
    for name, row in own.items():
        yours += [f"{path}: the {column}" for column, path in sorted(row.sources.items())]
        yours += [f"{CORRECTIONS[name]}: corrections"] if name in CORRECTIONS else []
    return {"infant": CONFIG.infant, "recordings": sorted(recordings), "yours": yours}


def all_patterns():
    """Return outputs, logs and benchmarks of every rule, with their wildcards."""
    return [
        [str(path) for path in (*r.output, *r.log, *([r.benchmark] if r.benchmark else []))]
        for r in workflow.rules
    ]


# A dry run tells what would go. Every rule is known here, as this file is the last one.
if is_asked_for("forget"):
    WHOM = forgotten()
    if workflow.is_main_process and {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
        print(
            told(
                find_traces(
                    Path(CONFIG.results), all_patterns(), WHOM["infant"], WHOM["recordings"]
                ),
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
    message:
        "Forget an infant"
    script:
        "../workflow_scripts/forget_infant.py"
