"""Runs of pytest, each in a process of its own, forked from one that has imported what they need.

To import it takes most of the time in which pytest starts. What is forked is multiprocessing's "forkserver": it has one
thread and does nothing but import (`imported.py`).
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.harness.imported"])


class Started:
    """A run of pytest in a folder, with no environment but this."""

    def __init__(self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._kept = TemporaryDirectory()
        self._files = Path(self._kept.name, "output"), Path(self._kept.name, "error")
        self._said: tuple[str, str] | None = None
        self._process = _SERVER.Process(target=_be_pytest, args=(folder, arguments, environment, *self._files))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.exitcode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it has written to its output and its errors, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        if self._said is None:
            self._process.join(timeout)
            if self._process.exitcode is None:
                raise subprocess.TimeoutExpired("pytest", timeout)
            output, error = self._files
            self._said = output.read_text(), error.read_text()
            self._kept.cleanup()
        return self._said

    def end(self) -> None:
        """End it if it still runs: the test that started it has failed, or is ended itself."""
        if self._process.is_alive():
            self._process.terminate()
        self.communicate(60)


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
