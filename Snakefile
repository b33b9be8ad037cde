"""General Movements Assessment: from videos of infants to a report."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

if str(workflow.basedir) not in sys.path:
    sys.path.append(str(workflow.basedir))

from fidgety.config.root import read_values
from fidgety.errors import FidgetyError

min_version("9.0")

# Snakemake walks through a file without end where an alias stands inside of what it is of, and
# takes the last of two values without a word. What is named as `--configfile` it has read by now.
for path in (Path("config.yaml"), *map(Path, workflow.overwrite_configfiles)):
    if path.suffix in (".yaml", ".yml") and path.is_file():
        try:
            read_values(path)
        except FidgetyError as error:
            raise WorkflowError(str(error)) from None


configfile: "config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/common_inputs.smk"
include: "rules/common_models.smk"
include: "rules/common_targets.smk"
include: "rules/make_phantoms.smk"
include: "rules/prepare_video.smk"
include: "rules/track_pose.smk"
include: "rules/review_pose.smk"
include: "rules/build_features.smk"
include: "rules/build_pixels.smk"
include: "rules/export_pose.smk"
include: "rules/collect_cohorts.smk"
include: "rules/train_models.smk"
include: "rules/evaluate_models.smk"
include: "rules/explain_pictures.smk"
include: "rules/write_report.smk"
include: "rules/show_status.smk"
include: "rules/read_videos.smk"
include: "rules/write_paper.smk"
include: "rules/compare_models.smk"
include: "rules/compare_instances.smk"
include: "rules/compare_subgroups.smk"
include: "rules/validate_phantoms.smk"
include: "rules/compare_pose.smk"
include: "rules/train_pose.smk"
include: "rules/study_kaur.smk"
include: "rules/study_gao.smk"


if not LIFTED_BY_CLEANING:

    include: "rules/lift_pose.smk"


# Behind all rules whose code they read.
include: "rules/check_bundle.smk"


if BUNDLE:

    include: "rules/unpack_bundle.smk"

else:

    include: "rules/bundle_models.smk"


# A dry run starts nothing.
onstart:
    check_before_start()
    remember_infants()


rule all:
    default_target: True
    input:
        results("report/index.html"),


rule features:
    input:
        collect_features,


rule assess:
    input:
        collect_predictions,


# Behind all others, whose files they look for.
include: "rules/verify_results.smk"
include: "rules/forget_infant.smk"
