"""What a run could leave behind: containers, processes, folders."""

import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from fixtures import owners
from fixtures.brokers import container
from fixtures.brokers.base import BrokerError

#: Set in the environment of every run that the harness starts, so that the processes it starts can be found.
MARK = "CLAIMS_HARNESS_RUN"


def of_runs(mark: str, pids: list[int]) -> set[str]:
    """What runs of pytest have left on this machine: those started with this mark, and these process ids.

    Workers have ids of their own; what they leave is known by its owner being dead.
    """
    return _processes(mark) | _folders(pids) | _containers(pids)


def _left(owner: str, pids: list[int]) -> bool:
    return int(owner.split()[0]) in pids or not owners.process(owner)


def _processes(mark: str) -> set[str]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.add(f"process {process.pid} {' '.join(process.cmdline())[:100]}")
    return found


def _folders(pids: list[int]) -> set[str]:
    found = set()
    for owner in Path(tempfile.gettempdir()).glob("rabbitmq-claims-*/owner"):
        with suppress(OSError):
            if _left(owner.read_text().splitlines()[1], pids):
                found.add(f"folder {owner.parent}")
    return found


def _containers(pids: list[int]) -> set[str]:
    try:
        daemon = container.daemon()
    except BrokerError:
        return set()
    labelled = daemon.containers.list(all=True, filters={"label": "rabbitmq-claims.owner"}, sparse=True)
    return {
        f"container {found.id}" for found in labelled if _left(found.attrs["Labels"]["rabbitmq-claims.owner"], pids)
    }
