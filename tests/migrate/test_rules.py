"""The catalogue: complete, explained, and never a guess for an unknown code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrate.rules import FAMILIES, as_data, as_text, rules, select


def test_every_code_of_the_specification_is_in_the_catalogue(shared: Path) -> None:
    texts = [(shared / "specs" / name).read_text() for name in ("conversion.md", "compose-keys.tsv")]
    named = {f"MIG{code}" for text in texts for code in re.findall(r"MIG(\d{3})", text)}
    assert len(named) > 150
    assert named <= set(rules())


def test_every_rule_has_a_title_a_family_and_a_severity() -> None:
    for rule in rules().values():
        assert re.fullmatch(r"MIG\d{3}", rule.code) and rule.title and rule.severity
        assert rule.code[3] in FAMILIES


@pytest.mark.parametrize("code", ["MIG210", "mig210", "210"])
def test_one_rule_in_full(code: str) -> None:
    text = as_text(select(code), alone=True)
    assert text.startswith("MIG210 (error): a literal address is required here\n")
    assert all(word in text for word in ("why", "what to do", "--addresses pin"))


def test_all_rules_a_line_each_by_family() -> None:
    lines = as_text(select(None), alone=False).splitlines()
    assert sum(line.startswith("  MIG") for line in lines) == len(rules())
    assert "MIG2xx  addresses" in lines


def test_rules_as_data() -> None:
    assert as_data(select("MIG201"))[0].keys() == {"code", "severity", "rule", "title", "why", "advice"}


def test_unknown_code_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="there is no finding MIG21X; the nearest is MIG"):
        select("MIG21X")
