"""How a claim is tested, as the pages show it."""

import importlib.util
from pathlib import Path

from fixtures.suite.sources import source_of

MODULE = """
import pytest

from fixtures.claims.catalogue import claim

kinds = pytest.mark.parametrize("kind", ["classic", "quorum"])


#: How many of them.
COUNT = 3
UNUSED: int = 4


@pytest.fixture
def room():
    return COUNT


def helper():
    return deeper()


@claim("chapter.claim")
@kinds
def test_it(kind, room):
    assert helper()


def test_other():
    assert UNUSED


async def deeper():
    # It names the other way round.
    return helper
"""


def test_source_has_all_of_its_module_that_the_test_uses(tmp_path: Path) -> None:
    """In the order of the module, with what is said about it; nothing that is imported, nothing of other tests."""
    (tmp_path / "module_of_tests.py").write_text(MODULE)
    spec = importlib.util.spec_from_file_location("module_of_tests", tmp_path / "module_of_tests.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    found = source_of(module.test_it)

    assert found.name == "test_it"
    assert [part.splitlines()[0] for part in found.source.split("\n\n\n")] == [
        'kinds = pytest.mark.parametrize("kind", ["classic", "quorum"])',
        "#: How many of them.",
        "@pytest.fixture",
        "def helper():",
        '@claim("chapter.claim")',
        "async def deeper():",
    ]
    assert found.source.endswith(MODULE.rpartition("\n\n\n")[2])
