"""Imports what a run of pytest on claims needs, and gets its pages' templates ready.

Pytest does the first, because it wants to have imported its plugins itself.
"""

import gc
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

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

from fixtures.report import pages  # noqa: E402 - not before pytest has it
from tests.harness import samples  # noqa: E402

with TemporaryDirectory() as _folder:
    pages.write(samples.kill_run(), Path(_folder))
for _project in ("conftest", "tests.test_routing"):
    sys.modules.pop(_project, None)
gc.freeze()
