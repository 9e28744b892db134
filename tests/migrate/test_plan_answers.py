"""The plan file: refused with line, read back as written, and every example of the specification's options."""

from __future__ import annotations

from pathlib import Path

import pytest

import migrate
from migrate.findings import Unusable
from migrate.plan.answers import read, read_text, schema
from migrate.plan.written import write_plan
from tests.migrate.planned import codes, plan_of

FAULTS = {
    "unknown question": ("version: 1\nservices:\n  web:\n    replica: 3\n", "MIG006", 4, "replicas"),
    "unknown section": ("version: 1\nservice: {}\n", "MIG006", 2, "services"),
    "wrong type": ("version: 1\nservices: {web: {replicas: many}}\n", "MIG007", 2, "whole number"),
    "not a choice": ("version: 1\nproject: {waits: sometimes}\n", "MIG009", 2, "all, healthy, none"),
    "no outcome": ("version: 1\naddresses: {10.0.0.1: lan}\n", "MIG009", 2, "names, pin, multus, keep"),
    "other version": ("version: 2\n", "MIG009", 1, "between 1 and 1"),
    "no version": ("services: {}\n", "MIG008", 1, "version"),
    "syntax": ("version: [1\n", "MIG001", 2, ""),
    "key twice": ("version: 1\nproject: {drain: 1, drain: 2}\n", "MIG002", 2, "drain"),
    "not a mapping": ("version: 1\nservices: [web]\n", "MIG007", 2, "mapping"),
    "no progress": ("version: 1\nservices: {w: {update: {maxSurge: 0, maxUnavailable: 0%}}}\n", "MIG009", 2, "cannot both be 0"),
    "bounds": ("version: 1\nservices: {w: {hpa: {min: 3, max: 2}}}\n", "MIG625", 2, "below min"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_have_their_line(case: str) -> None:
    text, code, line, part = FAULTS[case]
    with pytest.raises(Unusable) as caught:
        read_text(text, "plan.yaml")
    (finding,) = caught.value.findings
    assert (finding.code, finding.span.line if finding.span else 0) == (code, line)
    assert part in finding.message


def test_all_faults_at_once() -> None:
    with pytest.raises(Unusable) as caught:
        read_text("version: 1\nprojekt: {}\nservices: {a: {x: 1, y: 2}}\n", "plan.yaml")
    assert len(caught.value.findings) == 3


@pytest.mark.parametrize("path", ["gone.yaml", "."])
def test_what_is_no_file_is_named(path: str, tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"MIG004"):
        read(tmp_path / path)


def test_an_empty_plan_decides_nothing() -> None:
    assert read_text("", "plan.yaml").services == {}


ANSWERS = """project:
  exposure: nodeport
  storage: {size: 1Gi}
services:
  web:
    replicas: 3
    update: {maxSurge: 1, maxUnavailable: 0}
addresses: {172.20.0.9: keep}
images: [{match: docker.io/, replace: m.example/}]
tools: {image: 'alpine:3.20'}
"""


def test_a_written_plan_reads_back_as_the_same_answers(tmp_path: Path) -> None:
    text = "services: {web: {image: 'x:1', ports: ['80:80']}, 'on': {image: 'y:1'}}"
    plan = plan_of(tmp_path, text, ANSWERS)
    written = write_plan(plan)
    assert read_text(written, "plan.yaml") == plan.answers
    assert "## exposure = NodePort: 80 (X10: published on the host); compose.yaml:1" in written or "## exposure" in written


def test_a_comment_becomes_an_answer_without_its_sign(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {web: {image: 'x:1'}}")
    edited = write_plan(plan).replace("    # replicas: 1", "    replicas: 4")
    assert read_text(edited, "plan.yaml").services == {"web": {"replicas": 4}}


def test_answers_for_services_that_are_gone_survive_and_are_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "services: {web: {image: 'x:1'}}", "services: {old: {replicas: 2}}")
    assert "MIG006" in codes(plan)
    assert read_text(write_plan(plan), "plan.yaml").services == {"old": {"replicas": 2}}


def test_schema_refuses_what_the_reader_refuses() -> None:
    import jsonschema
    import yaml

    validator = jsonschema.Draft202012Validator(schema())
    assert validator.is_valid(yaml.safe_load("version: 1\n" + ANSWERS))
    for case in ("unknown question", "unknown section", "wrong type", "not a choice", "other version", "not a mapping"):
        assert not validator.is_valid(yaml.safe_load(FAULTS[case][0])), case


def test_answers_in_the_compose_file_below_those_of_the_plan(tmp_path: Path) -> None:
    text = """
x-compose-cutover: {exposure: nodeport}
services:
  web: {image: "x:1", ports: ["80:80"], x-compose-cutover: {replicas: 2, drain: 1}}
  api: {image: "y:1", x-compose-cutover: {replica: 2}}
"""
    plan = plan_of(tmp_path, text, "services: {web: {replicas: 5}}")
    assert plan.services["web"].replicas == 5
    assert plan.services["web"].exposure.services[0].type == "NodePort"
    wrong = next(f for f in plan.findings if f.code == "MIG006")
    assert (wrong.span.line if wrong.span else 0, wrong.path) == (5, "services.api.x-compose-cutover")
    assert "MIG913" not in codes(plan)


def test_the_published_schema_is_current(repository: Path) -> None:
    import json

    assert json.loads((repository / "docs" / "plan.schema.json").read_text()) == schema()


LISTS = """
many_ports: [my-pbx]
hostname_is_identity: [my-mail]
oneshot_name_parts: [warmup]
secret_files: ['*.licence']
not_secret_keys: ['^HARMLESS_']
storage: {data_targets: [/srv/store]}
"""


def test_lists_of_the_conversion_that_a_plan_extends(tmp_path: Path) -> None:
    text = """
services:
  pbx: {image: "a/my-pbx:1", expose: ["5060"]}
  warmup-cache: {image: x}
  mail: {image: "my-mail:1", hostname: mx, volumes: ["/srv/store"]}
  web: {image: x, environment: {HARMLESS_TOKEN: x}, volumes: ["./a.licence:/a.licence:ro"]}
"""
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "a.licence").write_text("x")
    (tmp_path / "plan.txt").write_text("version: 1\n" + LISTS)
    made = migrate.convert(directory=tmp_path, plan=tmp_path / "plan.txt")
    kinds = {(m["kind"], m["metadata"]["name"]) for m in made.manifests}
    (pbx,) = (m for m in made.manifests if m["kind"] == "Service" and m["metadata"]["name"] == "pbx")
    assert pbx["spec"]["clusterIP"] == "None"
    assert {("Job", "warmup-cache"), ("Deployment", "mail"), ("Secret", "files-a-licence")} <= kinds
    assert ("Secret", "web-env") not in kinds
    plain = migrate.convert(directory=tmp_path)
    assert ("Deployment", "warmup-cache") in {(m["kind"], m["metadata"]["name"]) for m in plain.manifests}
    again = read_text(write_plan(made.plan), "plan.yaml")
    assert again.lists == made.answers.lists


def test_a_pattern_of_a_list_must_be_one() -> None:
    with pytest.raises(Unusable, match="MIG009"):
        read_text("version: 1\naddress_context: {acl: ['(']}\n", "plan.yaml")
