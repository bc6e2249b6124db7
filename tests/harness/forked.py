"""Runs of pytest, each in a process of its own, forked from one that has imported what they need.

To import it takes most of the time in which pytest starts. What is forked is multiprocessing's "forkserver": it has one
thread and does nothing but import (`imported.py`).
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.harness.imported"])


def run(folder: Path, arguments: Sequence[str], environment: Mapping[str, str], within: float) -> tuple[int, str, str]:
    """Run pytest in a folder, with no environment but this; returns its exit code, its output and its errors."""
    with TemporaryDirectory() as kept:
        output, error = Path(kept, "output"), Path(kept, "error")
        process = _SERVER.Process(target=_be_pytest, args=(folder, arguments, environment, output, error))
        process.start()
        try:
            process.join(within)
            assert process.exitcode is not None, f"pytest has not ended within {within:g} s"
            return process.exitcode, output.read_text(), error.read_text()
        finally:
            if process.is_alive():  # this test has failed, or is ended itself
                process.terminate()
                process.join(60)


def _be_pytest(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str], output: Path, error: Path
) -> None:
    """Be what `python -m pytest` is, to the end of this process."""
    for number, file in ((1, output), (2, error)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = ["pytest", *arguments]
    # A shell ignores Ctrl-C for what it runs in the background, these tests perhaps.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(pytest.main([*arguments]))
