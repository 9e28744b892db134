"""N7, W2, models: what the plan says of things outside the stack."""

from __future__ import annotations

from pathlib import Path

from tests.migrate.planned import codes, objects_of, plan_of, pod

TEXT = """
services:
  app: {image: "x:1", external_links: [legacy_db:db, old], models: {llm: {endpoint_var: LLM}, tiny: }}
  cloud: {image: "x:1", provider: {type: awesomecloud}}
models: {llm: {model: ai/x}, tiny: {model: ai/y}}
"""
PLAN = """
project:
  externalLinks: {db: db.example.com, old: 192.0.2.7}
  models: {llm: {endpoint: "http://models.example.com/v1"}}
services: {cloud: {replacedBy: db.cloud.example.com}}
"""


def test_n7_w2_and_models_without_answers_are_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT)
    assert {"MIG130", "MIG113", "MIG917"} <= codes(plan)
    assert [f.path for f in plan.findings if f.code == "MIG917"] == [
        "services.app.models.llm", "services.app.models.tiny", "models.llm", "models.tiny",
    ]  # fmt: skip


def test_n7_a_dns_name_becomes_an_external_name_and_an_address_a_host_alias(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, TEXT, PLAN)
    assert objects["Service/db"]["spec"] == {"type": "ExternalName", "externalName": "db.example.com"}
    assert pod(objects["Deployment/app"])["hostAliases"] == [{"ip": "192.0.2.7", "hostnames": ["old"]}]
    assert "MIG130" not in codes(plan_of(tmp_path, TEXT, PLAN))


def test_w2_the_plan_names_the_service_that_replaces_a_provider(tmp_path: Path) -> None:
    objects = objects_of(tmp_path, TEXT, PLAN)
    assert objects["Service/cloud"]["spec"]["externalName"] == "db.cloud.example.com"
    assert "Deployment/cloud" not in objects


def test_models_set_the_variables_that_compose_sets(tmp_path: Path) -> None:
    (container,) = pod(objects_of(tmp_path, TEXT, PLAN)["Deployment/app"])["containers"]
    assert {"name": "LLM", "value": "http://models.example.com/v1"} in container["env"]
    assert {"name": "LLM_MODEL", "value": "ai/x"} in container["env"]
    assert [f.path for f in plan_of(tmp_path, TEXT, PLAN).findings if f.code == "MIG917"] == ["services.app.models.tiny", "models.tiny"]
