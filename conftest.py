"""Registers the suite's plugins; everything else has a module of its own in `fixtures/`."""

pytest_plugins = [
    "fixtures.options",
    "fixtures.timeouts",
    "fixtures.claims",
    "fixtures.strain",
    "fixtures.ending",
    "fixtures.fleet",
    "fixtures.turns",
    "fixtures.selection",
    "fixtures.recorder",
    "fixtures.verdicts",
    "fixtures.terminal",
]
