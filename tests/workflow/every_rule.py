"""Code for a process that reads the real Snakefile: every rule, with wildcards that it may have.

Put it in front of a script that runs in a copy of the project, where this package is not.
"""

from __future__ import annotations

EVERY_RULE = """\
from snakemake.iocontainers import Wildcards

def every_rule(workflow):
    known = workflow.globals
    some = {
        "recording": next(iter(known["PHANTOMS"])),
        "infant": next(iter(known["ASSESSED"])),
        "model": known["MODELS"][0],
        "fold": "1", "candidate": "1", "role": "development",
        "backend": next(iter(known["COMPARED"])),
        **{name: str(value) for name, value in known["STUDY_JOBS"][0].items() if name != "model"},
    }
    of_studies = {
        "gao": next(iter(known["GAO_MODELS"])),
        "study": known["STUDY_JOBS"][0]["model"],
        "snippets": known["STUDY_JOBS"][0]["model"],
    }
    for rule in workflow.rules:
        if not rule.output:
            continue
        study = next((m for part, m in of_studies.items() if part in rule.name), some["model"])
        wildcards = {**some, "model": study}
        chosen = Wildcards(fromdict={name: wildcards[name] for name in rule.wildcard_names})
        yield rule, chosen

"""
