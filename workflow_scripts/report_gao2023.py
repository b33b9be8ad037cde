"""Report the study of Gao 2023: tables, figures, a page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fidgety.config.evaluation import EvaluationConfig
from fidgety.config.gao import GaoConfig
from fidgety.datasets.clips import Rating
from fidgety.evaluation import fms, tables
from fidgety.evaluation.characteristics import characteristics_table
from fidgety.evaluation.predictions import InfantPredictions, read_infant
from fidgety.evaluation.records import (
    Assessment,
    Infant,
    collect,
    infants,
    read_cohorts,
    with_result,
)
from fidgety.files import job_seed, write_text
from fidgety.report import gao as pages
from fidgety.report.flow import flow
from fidgety.report.gao_figures import Example, examples_table
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run


def gather(job: Job) -> list[InfantPredictions]:
    """Put what the study's models and those of the main line say of an infant together."""
    beside: Mapping[str, str] = dict(job.params.beside)
    main = {p.infant: p for p in (read_infant(str(path)) for path in job.input.main)}
    found = []
    for own in (read_infant(str(path)) for path in job.input.predictions):
        models = dict(own.models)
        if own.infant in main:
            others = main[own.infant].models
            models |= {beside[name]: others[name] for name in beside if name in others}
        outcome = next((m.outcome for m in models.values() if m.outcome.ok), own.outcome)
        found.append(InfantPredictions(own.infant, own.role, outcome, models))
    return found


def known_of(cohort: pd.DataFrame, known: Sequence[Infant]) -> dict[str, fms.Whom]:
    """Return role, label and type of the fidgety movements of the infants with a label."""
    types = cohort["fm_type"] if "fm_type" in cohort else pd.Series("", index=cohort.index)
    by_recording = dict(zip(cohort["recording"], types, strict=True))
    return {
        i.infant: fms.Whom(
            i.infant,
            i.role,
            i.label,
            next((str(by_recording[r]) for r in i.recordings if by_recording[r]), ""),
        )
        for i in known
        if i.label
    }


def choose_examples(
    asked: Sequence[InfantPredictions],
    whom: Mapping[str, fms.Whom],
    model: str,
    rated: Mapping[str, Rating],
    risk: Sequence[str],
    n: int,
) -> list[Example]:
    """Take rated recordings of both sides in turn, external infants first."""
    able = [
        p
        for p in asked
        if p.infant in whom
        and p.models[model].outcome.ok
        and any(r in rated for r in p.models[model].sources)
    ]
    able.sort(key=lambda p: (whom[p.infant].set != "external", p.infant))
    sides = [[p for p in able if (whom[p.infant].label in risk) == side] for side in (False, True)]
    mixed = [p for pair in _in_turn(sides) for p in pair]
    return [_example(p, whom[p.infant], model, rated) for p in mixed[:n]]


def _in_turn(sides: Sequence[Sequence[InfantPredictions]]) -> list[list[InfantPredictions]]:
    longest = max(len(side) for side in sides)
    return [[side[k] for side in sides if k < len(side)] for k in range(longest)]


def _example(
    asked: InfantPredictions, whom: fms.Whom, model: str, rated: Mapping[str, Rating]
) -> Example:
    prediction = asked.models[model]
    recording = next(r for r in prediction.sources if r in rated)
    expert, judged = fms.expert_calls(prediction, rated)
    own = np.flatnonzero([r == recording for r in prediction.recording])
    own = own[np.argsort(prediction.start_s[own], kind="stable")]
    return Example(
        f"{asked.infant} ({whom.label}, {whom.set})",
        prediction.start_s[own],
        prediction.stop_s[own],
        fms.fm_probability(prediction)[own],
        expert[own],
        judged[own],
    )


def compared(records: Sequence[Assessment]) -> tuple[list[Assessment], dict[str, int]]:
    """Keep the labelled infants of whom every model has a result, so that all judge the same.

    A model without any result is left out of that; it keeps its records.

    Returns
    -------
    kept : list of Assessment
    dropped : dict
        Set to the number of infants of whom some models alone have a result.
    """
    labelled = [r for r in records if r.label]
    able = {r.model for r in labelled if r.outcome.ok}
    missing = {r.infant for r in labelled if r.model in able and not r.outcome.ok}
    some = {r.infant: r.role for r in labelled if r.infant in missing and r.outcome.ok}
    kept = [r for r in labelled if r.infant not in missing]
    return kept, dict(sorted(Counter(some.values()).items()))


def read_contributions(path: str) -> pd.DataFrame:
    """Read contributions; ids stay as they are written, be they numbers or ``NA``."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    numbers = ("value", "contribution", "folds", "base")
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})


def main(job: Job) -> None:
    """Read predictions and cohorts, write everything that is told."""
    config = GaoConfig.model_validate(dict(job.params.config))
    evaluation = EvaluationConfig.model_validate(dict(job.params.evaluation))
    classes = {str(c["name"]): bool(c["at_risk"]) for c in job.params.classes}
    risk = [name for name, at_risk in classes.items() if at_risk]
    seed = job_seed(int(job.params.seed), "gao2023")
    how: dict[str, Any] = {
        "resamples": evaluation.bootstrap, "confidence": evaluation.confidence, "seed": seed
    }  # fmt: skip
    beside = [str(name) for name in dict(job.params.beside).values()]
    models = [*(str(m) for m in job.params.models), *beside]
    cohort = read_cohorts([str(path) for path in job.input.cohort])
    known = infants(cohort)
    asked = gather(job)
    records = collect(known, asked, models, list(classes.values()))
    everybody = tables.infant_table(records)
    became = everybody[everybody["model"] == config.model]
    whom = known_of(cohort, known)
    rated = fms.experts([dict(i) for i in job.params.intervals], config.rater)
    records, dropped = compared(records)
    whom = {r.infant: whom[r.infant] for r in records if r.infant in whom}
    pairs = [
        (whom[p.infant], model, p.models[model])
        for p in asked
        if p.infant in whom
        for model in models
        if model in p.models
    ]
    kappa = pd.DataFrame(
        [fms.kappa_row(who, model, said, rated) for who, model, said in pairs],
        columns=list(fms.KAPPA_COLUMNS),
    )
    frequency = pd.DataFrame(
        [fms.frequency_row(*pair) for pair in pairs if pair[2].detects_fidgety],
        columns=list(fms.FREQUENCY_COLUMNS),
    )
    frequency["called"] = fms.called_types(frequency, evaluation.continuous_from)
    closely = frequency[frequency["model"] == config.model]
    ablations = list(config.ablations)
    study = pages.Study(
        model=config.model,
        ablations=ablations,
        inputs=list(config.inputs),
        beside=beside,
        characteristics=characteristics_table(cohort, sorted(with_result(records)), risk),
        metrics=tables.metric_table(records, models, classes, evaluation, seed),
        infants=everybody,
        tests=pages.test_table(
            records, config.model, [m for m in (*ablations, *beside) if m != config.model], risk
        ),
        kappa=kappa,
        kappa_summary=fms.kappa_summary(kappa, **how),
        frequency=frequency,
        groups=fms.group_contrasts(closely, risk, **how),
        types=fms.type_contrasts(closely, evaluation.continuous_from, **how),
        contributions=read_contributions(str(job.input.contributions)),
        weights=pd.read_csv(job.input.weights, sep="\t"),
        examples=choose_examples(asked, whom, config.model, rated, risk, config.examples),
        flow=flow(cohort, became.astype(str)),
        dropped=dropped,
        rater=config.rater,
        confidence=evaluation.confidence,
        bootstrap=evaluation.bootstrap,
        seed=seed,
    )
    curve = pages.curve_table(study)
    notes = [str(note) for note in job.params.notes]
    text = pages.text_table(study, notes)
    write_text(job.output.text, text)
    for name, table in (
        ("characteristics", study.characteristics),
        ("metrics", study.metrics),
        ("tests", study.tests),
        ("infants", study.infants),
        ("kappa", study.kappa),
        ("frequency", study.frequency),
        ("contrasts", pages.contrasts_table(study)),
        ("examples_data", examples_table(study.examples)),
        ("curve", curve),
    ):
        write_text(getattr(job.output, name), to_tsv(table))
    drawn = pages.draw_all(study, curve)
    for name, path in (
        ("figure-3a", job.output.examples),
        ("figure-3b", job.output.kappa_figure),
        ("figure-3c", job.output.groups_figure),
        ("figure-3d", job.output.roc_figure),
        ("figure-3e", job.output.types_figure),
        ("figure-4a", job.output.weight_figure),
        ("contributions", job.output.contributions_figure),
    ):
        write_text(path, drawn[name])
    phantoms = any(infant.phantom for infant in known)
    write_text(job.output.page, pages.page(study, drawn, curve, notes, phantoms=phantoms))
    print(text)
    print(f"\n{text}\nThe page: {Path(job.output.page)}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
