"""Registers the suite's plugins; everything else has a module of its own in `fixtures/`."""

pytest_plugins = [
    "fixtures.suite.options",
    "fixtures.suite.timeouts",
    "fixtures.suite.workers",
    "fixtures.claims.catalogue",
    "fixtures.suite.strain",
    "fixtures.suite.ending",
    "fixtures.suite.fleet",
    "fixtures.suite.turns",
    "fixtures.suite.selection",
    "fixtures.suite.recorder",
    "fixtures.suite.explain",
    "fixtures.suite.verdicts",
    "fixtures.suite.failures",
    "fixtures.suite.terminal",
]
