"""Of the combinations of a grid, take the one with the lowest loss on validation infants."""

from pathlib import Path

from fidgety.config.learning import choice_text
from fidgety.training.select import copy_selected, select
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the candidates' descriptions, write the chosen one's files and what was chosen from."""
    candidates = [Path(path) for path in job.input.models]
    selection = select(candidates, [choice_text(c) for c in job.params.choices])
    for line in selection.lines():
        print(line)
    copy_selected(
        candidates[selection.chosen],
        selection,
        weights=job.output.weights,
        model=job.output.model,
        history=job.output.history,
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
