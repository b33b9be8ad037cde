"""Cohort tables by role, and the folds of the development infants."""


rule collect_cohort:
    input:
        quality=lambda wildcards: paths("quality/{recording}.json", recordings_of(wildcards.role)),
    output:
        table=results("cohort/{role}.tsv"),
    log:
        results("logs/collect_cohort/{role}.log"),
    benchmark:
        results("benchmarks/collect_cohort/{role}.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rows=lambda wildcards: rows_of(STUDY.by_role(Role(wildcards.role))),
        intervals=lambda wildcards: places_of_intervals(STUDY.by_role(Role(wildcards.role))),
        inclusion=section("inclusion"),
        fitness=True,
        code=code_of("collect_cohort"),
    message:
        "Collect the {wildcards.role} cohorts"
    script:
        "../workflow_scripts/collect_cohort.py"


rule collect_training:
    input:
        quality=lambda wildcards: paths("quality/{recording}.json", recordings_of(wildcards.role)),
    output:
        table=results("training/{role}.tsv"),
    log:
        results("logs/collect_training/{role}.log"),
    benchmark:
        results("benchmarks/collect_training/{role}.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        # What training reads and no more: a corrected birth weight retrains nothing.
        rows=lambda wildcards: rows_of(
            recordings_of(wildcards.role),
            *("recording", "infant", "cohort", "role", "label"),
            *(["site"] if SITES else []),
        ),
        inclusion={"min_duration_s": criteria(CONFIG.inclusion).min_duration_s},
        fitness=False,
        code=code_of("collect_cohort"),
    message:
        "Collect the {wildcards.role} recordings for training"
    script:
        "../workflow_scripts/collect_cohort.py"


rule assign_folds:
    input:
        development=results("training/development.tsv"),
        previous=ancient(local(CONFIG.folds.file)) if CONFIG.folds.file else [],
    output:
        # The previous table stays in place while the rule runs: infants in it never move.
        folds=update(results("folds.tsv")),
    log:
        results("logs/assign_folds.log"),
    benchmark:
        results("benchmarks/assign_folds.tsv")
    conda:
        "../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        n=CONFIG.folds.n,
        # Folds by site: all of them; by infant: none.
        sites=SITES,
        seed=SEED,
        code=code_of("assign_folds"),
    message:
        "Deal the development infants into {params.n} folds"
    script:
        "../workflow_scripts/assign_folds.py"
