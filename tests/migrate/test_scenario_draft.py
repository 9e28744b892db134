"""The draft scenario: what Compose knows is in it, everything else is marked as a guess, and the simulator takes it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from migrate.scenario import draft_text
from simulate import scenario as simulator

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def draft(tmp_path: Path, text: str) -> dict[str, Any]:
    (tmp_path / "compose.yaml").write_text(text)
    return migrate.convert(tmp_path / "compose.yaml").scenario


@pytest.mark.parametrize("sample", ["slides", "ghost", "shop"])
def test_the_simulator_takes_every_sample_as_data_and_as_text(sample: str, tmp_path: Path) -> None:
    drafted = migrate.convert(SAMPLES / sample / "docker-compose.yml").scenario
    (tmp_path / "scenario.yaml").write_text(draft_text(drafted))
    assert yaml.safe_load(draft_text(drafted)) == drafted
    for source in (drafted, tmp_path / "scenario.yaml"):
        read = simulator.read(source)
        assert read.loads and read.services.keys() == drafted["services"].keys()


def test_calls_are_the_references_and_the_entry_is_what_is_published() -> None:
    drafted = migrate.convert(SAMPLES / "shop" / "docker-compose.yml").scenario
    assert list(drafted["load"]) == list(drafted["objective"]) == ["lb"]
    assert "init" not in drafted["services"]
    assert drafted["services"]["lb"]["calls"] == [{"to": "app1", "probability": 0.5}, {"to": "app2", "probability": 0.5}]
    assert {call["to"] for call in drafted["services"]["app1"]["calls"]} == {"mysql", "redis", "activemq"}
    assert "calls" not in drafted["services"]["dns"]
    assert "docker-compose.yml:" in drafted["guesses"]["services.app1.calls"]


def test_every_number_is_marked_as_a_guess() -> None:
    drafted = migrate.convert(SAMPLES / "ghost" / "docker-compose.yml").scenario
    guessed = set(drafted["guesses"])
    for name in drafted["services"]:
        assert f"services.{name}.cpu" in guessed and f"services.{name}.start" in guessed
    for section in ("load", "objective", "nodes"):
        assert {f"{section}.{name}" for name in drafted[section]} <= guessed


def test_a_circle_of_calls_is_cut_and_told(tmp_path: Path) -> None:
    drafted = draft(
        tmp_path,
        "services:\n  a: {image: 'a:1', expose: ['80'], environment: {B_URL: 'http://b:80'}, ports: ['80:80']}\n"
        "  b: {image: 'b:1', expose: ['80'], environment: {A_URL: 'http://a:80'}}\n",
    )
    assert [call["to"] for call in drafted["services"]["a"]["calls"]] == ["b"] and "calls" not in drafted["services"]["b"]
    assert "also calls a" in drafted["guesses"]["services.b"]
    assert simulator.read(drafted).loads


def test_nodes_hold_what_the_pods_request(tmp_path: Path) -> None:
    text = "services:\n  a: {image: 'a:1', ports: ['80:80'], deploy: {replicas: 10, resources: {reservations: {cpus: '2', memory: 1g}}}}\n"
    assert draft(tmp_path, text)["nodes"]["general"]["count"] * 4 * 0.6 >= 20


def test_without_ports_the_first_service_gets_the_load(tmp_path: Path) -> None:
    assert list(draft(tmp_path, "services:\n  a: {image: 'a:1'}\n  b: {image: 'b:1'}\n")["load"]) == ["a"]
