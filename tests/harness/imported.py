"""Imports what a run of pytest on claims needs.

Pytest does it, because it wants to have imported its plugins itself.
"""

import gc
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

_CHAPTER = Path(__file__).parents[1] / "test_routing.py"

with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
    pytest.main(
        [
            "-p",
            "no:cacheprovider",
            "--collect-only",
            "--rabbitmq=local",
            "--rootdir",
            str(_CHAPTER.parents[1]),
            str(_CHAPTER),
        ]
    )
for _project in ("conftest", "tests.test_routing"):
    sys.modules.pop(_project, None)
gc.freeze()
