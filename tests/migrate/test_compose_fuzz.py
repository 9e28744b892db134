"""Mutated inputs get an answer: a project or Unusable with its findings, never another exception, and in time.

COMPOSE_FUZZ sets how many inputs are tried (300 by default).
"""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path
from typing import Final

from migrate.compose import config_text, load
from migrate.findings import Unusable
from tests.migrate.compose_projects import project

INPUTS: Final = int(os.environ.get("COMPOSE_FUZZ", "300"))
SLOWEST_S: Final = 2.0

TOKENS: Final = (
    *"~ [] {} [~] 0 -1 1e999 true ${X ${X:?m} $X &a *a - # { } [ ] , | > 1-9000 2024-01-01 .nan .inf [[a]] / ~/x host".split(),  # noqa: SIM905
    *"services: image: build: ports: volumes: networks: environment: deploy: healthcheck: secrets: service:web container:x".split(),  # noqa: SIM905
    *("{a: }", "<<: *a", "!reset null", "!override []", "!!binary x", "- ", ": ", "\n", "  ", "\t", '"', "'", '"${"', "x-a: 1", "\x00"),
    *("\u2028", "extends: web", "include: [x]", "? a", "---\n", "9" * 40, '""', "{a: {b: c}}"),
)


def mutated(text: str, chance: random.Random) -> str:
    """The text with one to four changes: of a value, a line, or anything anywhere."""
    for _ in range(chance.randint(1, 4)):
        kind = chance.random()
        lines = text.split("\n")
        row = chance.randrange(len(lines))
        place = chance.randrange(len(text) + 1)
        if kind < 0.5:
            lines[row] = re.sub(r"(: |\[|, )[^,:\[\]{}]*", lambda found: found.group(1) + chance.choice(TOKENS), lines[row], count=1)
            text = "\n".join(lines)
        elif kind < 0.7:
            lines.insert(chance.randrange(len(lines) + 1), lines[row])
            text = "\n".join(lines)
        elif kind < 0.9:
            text = text[:place] + chance.choice(TOKENS) + text[place + chance.randint(0, 8) :]
        else:
            text = text[:place] + text[place + chance.randint(1, 20) :]
    return text


def test_mutated_inputs_get_an_answer(tmp_path: Path) -> None:
    chance = random.Random(20)
    loaded = 0
    for number in range(INPUTS):
        files, names = project(number % 97)
        text = mutated(files[names[0]], chance)
        start = time.perf_counter()
        try:
            config_text(load(["-"], stdin=text, directory=tmp_path, environment={}), "json")
            loaded += 1
        except Unusable as refused:
            assert refused.findings, text
        assert time.perf_counter() - start < SLOWEST_S, text
    assert loaded > INPUTS / 20
