"""`migrate addresses` on the terminal: who has what, what it is used for, what becomes of it (product.md section 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import migrate
from migrate.report.data import addresses_data
from migrate.report.inspection import address_table
from migrate.report.uses import CLASSES

_TEXT = """
services:
  web:
    image: web:1
    environment: {DB: "mysql://172.28.0.20:3306/x", ME: 172.28.0.10, OUT: 9.9.9.9, DNS1: 172.28.0.20}
    volumes: ["./a.conf:/etc/a.conf:ro"]
    extra_hosts: ["data:172.28.0.20"]
    networks: {n: {ipv4_address: 172.28.0.10}}
  web2: {image: "web:1", volumes: ["./a.conf:/etc/a.conf:ro"], networks: {n: {ipv4_address: 172.28.0.11}}}
  db: {image: "db:1", networks: {n: {ipv4_address: 172.28.0.20}}}
  spare: {image: "s:1", networks: {n: {ipv4_address: 172.28.0.30}}}
networks: {n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}}
"""


@pytest.fixture
def entries(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "compose.yaml").write_text(_TEXT)
    (tmp_path / "a.conf").write_text("db = 172.28.0.20\nnameserver 172.28.0.20\n")
    return addresses_data(migrate.convert("compose.yaml", directory=tmp_path).addresses, str(tmp_path))


def _words(table: str) -> list[str]:
    return [" ".join(line.split()) for line in table.splitlines()]


def test_a_line_for_each_place(entries: list[dict[str, Any]]) -> None:
    lines = _words(address_table(entries, width=200, everything=False))
    assert "172.28.0.10 web replaced by a name compose.yaml:5:57 j itself environment of web $(POD_IP)" in lines
    assert "compose.yaml:5:32 c in a URL environment of web db" in [line.split("left as it is ")[-1] for line in lines]
    assert "compose.yaml:5:90 f resolver environment of web (refused)" in lines
    assert "compose.yaml:7:25 h hosts entry extra_hosts of web (dropped)" in lines
    assert "172.28.0.30 spare not used by anyone, dropped" in lines


def test_one_line_for_services_that_share_a_file(entries: list[dict[str, Any]]) -> None:
    lines = _words(address_table(entries, width=200, everything=False))
    assert "a.conf:1:6 e in a file file of web, web2 db" in lines
    assert "a.conf:2:12 f resolver file of web, web2 the address of db, at start" in lines


def test_what_lies_outside_is_one_sentence(entries: list[dict[str, Any]]) -> None:
    short, whole = (address_table(entries, width=200, everything=everything) for everything in (False, True))
    assert _words(short)[-1] == "1 address outside the stack stays as it is: 9.9.9.9 (-v shows where)"
    assert "9.9.9.9 (nobody) left as it is compose.yaml:5:75 w nobody's environment of web (left)" in _words(whole)


def test_every_class_has_words() -> None:
    """All letters of the taxonomy but those that describe owners."""
    assert set(CLASSES) == set("bcdefghijlmnopqrstuw")
