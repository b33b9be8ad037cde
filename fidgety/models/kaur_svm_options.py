"""Options of ``kind: svm``, apart from PyTorch and scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from fidgety.models.snippet_options import SnippetOptions


class SvmOptions(SnippetOptions):
    """Options of ``kind: svm`` (Kaur 2025)."""

    published: ClassVar[Mapping[str, Any]] = {**SnippetOptions.published, "kernel": "rbf"}

    kernel: Literal["rbf", "cubic"] = "rbf"
    """``rbf``, or ``cubic``: a polynomial of the third degree."""
    penalty: Annotated[float, Field(gt=0)] = 1.0
    """C, the price of a snippet on the wrong side (not in the paper; scikit-learn's default)."""
    gamma: Literal["scale"] | Annotated[float, Field(gt=0)] = "scale"
    """Scale of the kernel; ``scale`` is 1 / (values of a snippet x their variance), scikit-learn's
    default (not in the paper)."""
    coef0: float = 0.0
    """Constant of the polynomial (not in the paper; scikit-learn's default)."""
    max_gb: Annotated[float, Field(gt=0)] = 2.0
    """The snippets have to be laid out side by side, 8 bytes a value: more than this is refused,
    rather than the machine's memory filled."""


Options = SvmOptions
