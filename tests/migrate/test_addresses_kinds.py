"""Addresses in the files and command lines of many programs: class, action and text after it (the table is address_kinds.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.migrate.stacks import NET, addressed, meaning, uses

_CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("address_kinds.yaml").read_text(encoding="utf-8"))
_STACK = """
services:
  web:
    image: {image}:1
    {line}
    networks: {{n: {{ipv4_address: 172.28.0.10}}}}
  db: {{image: "db:1", networks: {{n: {{ipv4_address: 172.28.0.20}}}}}}
  cache: {{image: "cache:1", networks: {{n: {{ipv4_address: 172.28.0.30}}}}}}
"""


def _name(case: dict[str, Any]) -> str:
    return str(case.get("line") or case["file"])[:60]


@pytest.mark.parametrize("case", _CASES, ids=_name)
def test_a_place(tmp_path: Path, case: dict[str, Any]) -> None:
    if "line" in case:
        text, files = _STACK.format(image="web", line=case["line"]), {}
    else:
        name = Path(case["file"]).name
        text, files = _STACK.format(image=case["image"], line=f"volumes: ['./{name}:{case['file']}:ro']"), {name: case["text"]}
    found = {(u.use.span.line, u.use.span.column, u.use.token): u for u in uses(addressed(meaning(tmp_path, text + NET, files)), "web")}
    ordered = [u for _, u in sorted(found.items())]
    assert [" ".join(filter(None, (u.use.letter, u.action, u.new))) for u in ordered] == case["uses"]


def test_the_table_is_wide() -> None:
    """Both tables, every class that a service's own text can show, and every action of mode names."""
    said = [use.split() for case in _CASES for use in case["uses"]]
    assert len(_CASES) >= 120
    assert {words[0] for words in said} >= set("bcdefghjlmpqrsuw")
    assert {words[1] for words in said} >= {"rewritten", "pod-ip", "rendered", "dropped", "left", "refused"}
