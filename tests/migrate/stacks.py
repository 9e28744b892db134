"""Small stacks for tests: a dictionary of files becomes a loaded project, its meaning, its addresses."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from migrate import addresses, compose, stack
from migrate.addresses.types import Addressing, DecidedUse
from migrate.compose.model import Project
from migrate.plan.addressing import decide_addresses
from migrate.plan.decision import Answers, Decided, Names
from migrate.plan.naming import decide_names
from migrate.stack import Stack


def project(folder: Path, text: str, files: dict[str, str] | None = None, environment: dict[str, str] | None = None) -> Project:
    (folder / "compose.yaml").write_text(dedent(text))
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(content))
    return compose.load(["compose.yaml"], directory=folder, environment=environment or {})


def meaning(folder: Path, text: str, files: dict[str, str] | None = None, environment: dict[str, str] | None = None) -> Stack:
    return stack.resolve(project(folder, text, files, environment))


def named(meant: Stack) -> Decided[Names]:
    return decide_names(meant, Answers())


def addressed(meant: Stack, answers: Answers | None = None) -> Decided[Addressing]:
    return decide_addresses(meant, addresses.take_inventory(meant), named(meant).outcome, answers or Answers())


def uses(decided: Decided[Addressing], service: str | None = None) -> list[DecidedUse]:
    return [u for a in decided.outcome.addresses for u in a.uses if service is None or u.use.service == service]


NET = """
networks:
  n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""
