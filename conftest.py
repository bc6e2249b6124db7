"""Registers the suite's plugin; everything else has a module of its own in `fixtures/`."""

pytest_plugins = ["fixtures.suite.plugin"]
