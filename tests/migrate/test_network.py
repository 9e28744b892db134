"""The old network against the new: what is lost, what is new, on manifests alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import migrate
from migrate.verify.network import equivalence

_TEXT = """
services:
  web: {image: "w:1", ports: ["8080:80"], environment: {DB: "http://172.28.0.20:5432", API_HOST: "my_api:81"}, networks: [front, back]}
  db: {image: "d:1", networks: {back: {ipv4_address: 172.28.0.20}}}
  my_api: {image: "a:1", networks: [front]}
  waits: {image: "i:1", depends_on: {db: {condition: service_healthy}}, networks: [back]}
networks:
  front: {}
  back: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""


@pytest.fixture(scope="module")
def conversion(tmp_path_factory: pytest.TempPathFactory) -> migrate.Conversion:
    folder: Path = tmp_path_factory.mktemp("stack")
    (folder / "compose.yaml").write_text(dedent(_TEXT))
    return migrate.convert("compose.yaml", directory=folder)


def _told(conversion: migrate.Conversion, change: Callable[[list[dict[str, Any]]], Any]) -> list[tuple[str, str]]:
    manifests = copy.deepcopy(list(conversion.manifests))
    change(manifests)
    found = equivalence(conversion.stack, conversion.plan.addressing, manifests)
    return [(f.code, f.message) for f in found if f.code in ("MIG350", "MIG351")]


def _named(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"] == name)


def test_what_convert_writes_is_equivalent(conversion: migrate.Conversion) -> None:
    assert _told(conversion, lambda manifests: None) == []


def test_a_service_that_is_gone(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "my-api")))
    assert told == [("MIG350", "web no longer reaches my_api: no Service answers the name my-api")]


def test_a_port_that_is_gone(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "db")["spec"]["ports"] = [{"name": "x", "port": 1, "targetPort": 1}]

    assert _told(conversion, change) == [("MIG350", "web no longer reaches db: the Service db has no port 5432")]


def test_a_selector_that_selects_another(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "Service", "db")["spec"]["selector"] = _named(manifests, "Service", "web")["spec"]["selector"]

    assert ("MIG350", "web no longer reaches db: the Service db selects no pod of db") in _told(conversion, change)


def test_a_published_port_that_is_gone(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "web-published")))
    assert told == [("MIG350", "outside no longer reaches web at 8080: nothing exposes its port 80")]


def test_a_policy_that_separates(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        _named(manifests, "NetworkPolicy", "net-back")["spec"]["ingress"] = []

    assert any(code == "MIG350" and "web" in message and "db" in message for code, message in _told(conversion, change))


def test_without_policies_the_networks_flow_together(conversion: migrate.Conversion) -> None:
    def change(manifests: list[dict[str, Any]]) -> None:
        manifests[:] = [m for m in manifests if m["kind"] != "NetworkPolicy"]

    told = _told(conversion, change)
    assert any(code == "MIG351" and "db" in message and "my_api" in message for code, message in told)


def test_a_wait_for_a_name_that_nobody_has(conversion: migrate.Conversion) -> None:
    told = _told(conversion, lambda m: m.remove(_named(m, "Service", "db-ready")))
    assert told == [("MIG350", "waits waits for the name db-ready, which no pod answers")]
