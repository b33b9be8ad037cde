"""The tests of security look at whole runs, too: those of the workflow's tests."""

from tests.workflow.conftest import tiny_copy, tiny_run

__all__ = ["tiny_copy", "tiny_run"]
