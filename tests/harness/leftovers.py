"""What a run could leave behind: containers and their volumes, processes, folders."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from fixtures.brokers import BrokerError, container
from fixtures.housekeeping import owners

#: Set in the environment of every run that the harness starts, so that the processes it starts can be found.
MARK = "CLAIMS_HARNESS_RUN"


def of_runs(mark: str, pids: list[int]) -> set[str]:
    """What runs of pytest have left on this machine: those started with this mark, and these process ids."""

    def left(owner: str) -> bool:
        return int(owner.split()[0]) in pids

    return _processes(mark) | _folders(left) | _containers(left)


def _processes(mark: str) -> set[str]:
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.add(f"process {process.pid} {' '.join(process.cmdline())[:100]}")
    return found


def _folders(left: Callable[[str], bool]) -> set[str]:
    folders = Path(tempfile.gettempdir()).glob("rabbitmq-claims-*")
    return {f"folder {folder}" for folder in folders if (owner := owners.owner(folder)) and left(owner)}


def _containers(left: Callable[[str], bool]) -> set[str]:
    try:
        daemon = container.daemon()
    except BrokerError:
        return set()
    containers = daemon.containers.list(all=True, filters={"label": container._OWNER}, sparse=True)
    volumes = daemon.volumes.list(filters={"label": container._OWNER})
    found = {f"container {each.id}" for each in containers if left(each.attrs["Labels"][container._OWNER])}
    return found | {f"volume {each.id}" for each in volumes if left(each.attrs["Labels"][container._OWNER])}
