"""Names of objects and what keeps answering: rules N1 to N7."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.plan.decision import Decided, Names
from tests.migrate.stacks import meaning, named


def _named(folder: Path, services: str, rest: str = "") -> Decided[Names]:
    return named(meaning(folder, f"services:\n{services}\n{rest}"))


def _codes(decided: Decided[Names]) -> list[str]:
    return [f.code for f in decided.findings]


@pytest.mark.parametrize(
    ("key", "name"), [("web", "web"), ("Auth_API", "auth-api"), ("3scale", "s-3scale"), ("a.b.c", "a-b-c"), ("x" * 53, None)]
)
def test_n1_object_names(tmp_path: Path, key: str, name: str | None) -> None:
    found = _named(tmp_path, f"  {key}: {{image: 'x:1'}}").outcome.objects[key]
    assert found == name if name else (len(found) == 52 and found.startswith("x" * 46 + "-"))


def test_n2_equal_names(tmp_path: Path) -> None:
    decided = _named(tmp_path, "  my_db: {image: 'x:1'}\n  my-db: {image: 'x:1'}")
    assert decided.outcome.objects["my-db"] == "my-db"
    assert decided.outcome.objects["my_db"].startswith("my-db-") and len(decided.outcome.objects["my_db"]) == 11
    assert decided.outcome.rewritten == {("my_db", "my_db"): decided.outcome.objects["my_db"]}
    assert "MIG102" in _codes(decided)


def test_n3_aliases_are_services(tmp_path: Path) -> None:
    decided = _named(
        tmp_path, "  web: {image: 'x:1', container_name: shop-web, hostname: www, networks: {n: {aliases: [front]}}}", "networks: {n: {}}"
    )
    assert decided.outcome.aliases == {"front": ("web",), "shop-web": ("web",), "www": ("web",)}
    assert decided.outcome.hostnames == {"web": "www"}
    assert _codes(decided) == []


def test_n3_a_key_wins_over_an_alias(tmp_path: Path) -> None:
    text = "  web: {image: 'x:1'}\n  api: {image: 'x:1', networks: {default: {aliases: [web]}}}"
    decided = _named(tmp_path, text)
    assert decided.outcome.aliases == {}
    assert _codes(decided) == ["MIG104"]


def test_n3_a_shared_alias_answers_for_all(tmp_path: Path) -> None:
    text = "  a: {image: 'x:1', networks: {n: {aliases: [pool]}}}\n  b: {image: 'x:1', networks: {n: {aliases: [pool]}}}"
    decided = _named(tmp_path, text, "networks: {n: {}}")
    assert decided.outcome.aliases == {"pool": ("a", "b")} and _codes(decided) == ["MIG104"]


def test_n3_one_alias_on_two_networks_is_rewritten(tmp_path: Path) -> None:
    text = """
  a: {image: 'x:1', networks: {n1: {aliases: [db]}}}
  b: {image: 'x:1', networks: {n2: {aliases: [db]}}}
  c: {image: 'x:1', environment: {DB_HOST: db}, networks: [n2]}"""
    decided = _named(tmp_path, text, "networks: {n1: {}, n2: {}}")
    assert decided.outcome.aliases == {} and _codes(decided) == ["MIG105"]
    assert decided.outcome.rewritten == {("a", "db"): "a", ("b", "db"): "b"}


def test_n4_illegal_names_are_rewritten_and_upper_case_is_not(tmp_path: Path) -> None:
    text = "  my_db: {image: 'x:1'}\n  Web: {image: 'x:1', environment: {DB_HOST: my_db}}"
    decided = _named(tmp_path, text)
    assert decided.outcome.rewritten == {("my_db", "my_db"): "my-db"}
    assert sorted(_codes(decided)) == ["MIG101", "MIG106"]
    assert [len(f.also) for f in decided.findings if f.code == "MIG101"] == [1]


def test_n5_host_names(tmp_path: Path) -> None:
    decided = _named(tmp_path, "  a: {image: 'x:1', hostname: My_Host}\n  b: {image: 'x:1', hostname: Upper}")
    assert decided.outcome.hostnames == {"a": "my-host", "b": "upper"}
    assert _codes(decided).count("MIG107") == 1


def test_n6a_two_labels_stay(tmp_path: Path) -> None:
    decided = _named(tmp_path, "  scm1.org: {image: 'x:1'}\n  scm2.org: {image: 'x:1'}")
    assert decided.outcome.subdomains == {"scm1.org": ("scm1", "org"), "scm2.org": ("scm2", "org")}
    assert decided.outcome.rewritten == {} and _codes(decided) == ["MIG108", "MIG108"]


def test_n6c_three_labels_are_rewritten(tmp_path: Path) -> None:
    decided = _named(tmp_path, "  kdc: {image: 'x:1', hostname: kdc.example.com}")
    assert decided.outcome.rewritten == {("kdc", "kdc.example.com"): "kdc"}
    assert sorted(_codes(decided)) == ["MIG107", "MIG109"]


def test_n6a_needs_one_replica_and_a_free_label(tmp_path: Path) -> None:
    text = "  a.b: {image: 'x:1', deploy: {replicas: 2}}\n  c.web: {image: 'x:1'}\n  web: {image: 'x:1'}"
    decided = _named(tmp_path, text)
    assert decided.outcome.subdomains == {}
    assert decided.outcome.rewritten == {("a.b", "a.b"): "a-b", ("c.web", "c.web"): "c-web"}


def test_link_aliases(tmp_path: Path) -> None:
    text = "  db: {image: 'x:1'}\n  db2: {image: 'x:1'}\n  web: {image: 'x:1', links: ['db:store', 'db2:db']}"
    decided = _named(tmp_path, text)
    assert decided.outcome.aliases == {"store": ("db",)}
    assert decided.outcome.rewritten == {("db2", "db"): "db2"} and _codes(decided) == ["MIG131", "MIG131"]


def test_n7_external_links(tmp_path: Path) -> None:
    assert _codes(_named(tmp_path, "  web: {image: 'x:1', external_links: ['old:db']}")) == ["MIG130"]
