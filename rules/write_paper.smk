"""Files for a paper: `snakemake paper`."""

# Models of a bundle come with a card of their own.
PAPER_CARD = {} if BUNDLE else {"card": results("paper/model-card.md")}


rule write_paper:
    input:
        metrics=rules.evaluate.output.metrics,
        cohort=cohort_tables,
        models=[] if BUNDLE else fold_models(MODELS),
        folds=FOLDS_TABLE,
        development=[] if BUNDLE else results("cohort/development.tsv"),
        reference=(
            results("cohort/reference.tsv") if recordings_of("reference") and not BUNDLE else []
        ),
    output:
        **PAPER_CARD,
        methods=results("paper/methods.md"),
        parameters=results("paper/parameters.tsv"),
        tripod_ai=results("paper/tripod-ai.tsv"),
        stard_ai=results("paper/stard-ai.tsv"),
        claim=results("paper/claim.tsv"),
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
        model_of=[(model, fold) for model in MODELS for fold in FOLDS],
        with_infants=lambda wildcards: [
            name for name in MODELS if keeps_infants(CONFIG.models[name])
        ],
        licence=CONFIG.publish.licence,
        contact=CONFIG.publish.contact,
        code=code_of("write_paper", libraries=("pandas",), data=PAGE_FILES),
    message:
        "Write the files for a paper"
    script:
        "../workflow_scripts/write_paper.py"


rule paper:
    input:
        rules.write_paper.output.methods,
        rules.write_report.output.index,
