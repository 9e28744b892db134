"""From files to the typed project: short forms, variables, several files, places."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrate.compose import config_text, load
from migrate.compose.model import Project
from migrate.findings import Unusable

Write = Callable[..., Project]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Load files given as texts; `_` in a name is its dot."""

    def made(files: dict[str, str], names: tuple[str, ...] = ("compose.yaml",), **options: Any) -> Project:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return load(list(names), directory=tmp_path, environment=options.pop("environment", {}), project_name="demo", **options)

    return made


def web(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"services:\n  web:\n    image: img\n{lines}"


def codes(project: Project) -> list[str]:
    return [finding.code for finding in project.findings]


def test_short_forms_become_typed_values(project: Write) -> None:
    text = web(
        "ports: ['127.0.0.1:8080:80', '9000-9001:9000-9001/udp']\n"
        "volumes: ['./d:/d:ro', 'data:/v', /anonymous]\n"
        "command: sh -c 'a b'\n"
        "healthcheck: {test: curl x, interval: 1m30s, retries: 3}\n"
        "extra_hosts: ['db:10.0.0.5']\n"
        "environment: [A=1, B]\n"
        "networks: {n: {ipv4_address: 10.0.0.9, aliases: [w]}}\n"
    )
    loaded = project({"compose.yaml": text + "volumes: {data: }\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n"})
    service = loaded.services["web"]
    assert [(p.host_ip, p.published, p.target, p.protocol) for p in service.ports] == [
        ("127.0.0.1", 8080, 80, "tcp"), (None, 9000, 9000, "udp"), (None, 9001, 9001, "udp"),
    ]  # fmt: skip
    assert [(m.kind, m.target, m.read_only) for m in service.mounts] == [
        ("bind", "/d", True),
        ("volume", "/v", False),
        ("volume", "/anonymous", False),
    ]
    assert service.mounts[0].source == str(loaded.directory / "d")
    assert service.command == ("sh", "-c", "a b")
    assert service.healthcheck is not None
    assert (service.healthcheck.test, service.healthcheck.interval_s, service.healthcheck.retries) == (("CMD-SHELL", "curl x"), 90.0, 3)
    assert service.extra_hosts == {"db": ("10.0.0.5",)}
    assert {name: variable.value for name, variable in service.environment.items()} == {"A": "1", "B": None}
    attachment = service.networks["n"]
    assert (attachment.ipv4_address, attachment.aliases) == ("10.0.0.9", ("w",))
    assert attachment.ipv4_span is not None
    assert attachment.ipv4_span.line == 10
    assert loaded.networks["n"].subnets[0].subnet == "10.0.0.0/24"
    assert loaded.volumes["data"].name == "demo_data"
    assert loaded.findings == ()


def test_every_value_knows_its_place_and_how_it_was_written(project: Write) -> None:
    loaded = project({"compose.yaml": web("user: ${USER_ID:-7}\nports:\n  - '80:8080'")})
    assert loaded.spans.span("services", "web", "user").line == 4
    assert loaded.spans.written("services", "web", "user") == "${USER_ID:-7}"
    assert loaded.spans.span("services", "web", "ports", 0, "target").line == 6
    assert loaded.spans.written("services", "web", "ports", 0) == "80:8080"


def test_a_variable_of_an_env_file_stands_in_that_file(project: Write) -> None:
    loaded = project({"compose.yaml": web("env_file: a.env\nenvironment: {B: inline}"), "a.env": "# head\nA=${X:-x}\nB=2\n"})
    variable = loaded.services["web"].environment["A"]
    assert (variable.value, variable.env_file, variable.span.file, variable.span.line) == ("x", loaded.directory / "a.env", "a.env", 2)
    assert loaded.services["web"].environment["B"].env_file is None
    assert loaded.spans.written("services", "web", "environment", "A") == "${X:-x}"


def test_the_winning_file_gives_the_place(project: Write) -> None:
    files = {"a.yaml": web("user: one\nhostname: h"), "b.yaml": "services:\n  web:\n    user: two\n"}
    loaded = project(files, names=("a.yaml", "b.yaml"))
    assert (loaded.data["services"]["web"]["user"], loaded.spans.span("services", "web", "user").file) == ("two", "b.yaml")
    assert loaded.spans.span("services", "web", "hostname").file == "a.yaml"


def test_extends_of_another_file_keeps_its_places_and_directory(project: Write) -> None:
    files = {
        "compose.yaml": "services:\n  web:\n    extends: {file: base/b.yaml, service: base}\n    user: u\n",
        "base/b.yaml": "services:\n  base:\n    image: i\n    volumes: ['./x:/x']\n",
    }
    loaded = project(files)
    assert loaded.services["web"].mounts[0].source == str(loaded.directory / "base" / "x")
    assert loaded.services["web"].mounts[0].span.file == "base/b.yaml"
    assert [path.name for path in loaded.files] == ["compose.yaml", "b.yaml"]


def test_profiles_select_and_the_rest_is_named(project: Write) -> None:
    text = "services:\n  a: {image: i}\n  b: {image: i, profiles: [debug]}\n"
    assert project({"compose.yaml": text}).unselected == ("b",)
    assert list(project({"compose.yaml": text}, profiles=["debug"]).services) == ["a", "b"]
    assert list(project({"compose.yaml": text}, environment={"COMPOSE_PROFILES": "debug"}).services) == ["a", "b"]
    assert codes(project({"compose.yaml": text}, profiles=["nope"])) == ["MIG059"]


def test_discovery_takes_the_first_name_and_its_override(project: Write, tmp_path: Path) -> None:
    files = {
        "compose.yml": web("user: a"),
        "docker-compose.yml": web("user: b"),
        "compose.override.yml": "services: {web: {hostname: h}}\n",
    }
    loaded = project(files, names=())
    assert (loaded.data["services"]["web"]["user"], loaded.services["web"].hostname) == ("a", "h")
    below = tmp_path / "deep" / "er"
    below.mkdir(parents=True)
    assert load([], directory=below, environment={}).directory == tmp_path


def test_no_file_at_all_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="MIG004"):
        load([], directory=tmp_path / "nowhere", environment={})


def test_standard_input_and_no_interpolation(tmp_path: Path) -> None:
    loaded = load(["-"], stdin=web("user: $U"), directory=tmp_path, environment={}, interpolate=False)
    assert loaded.data["services"]["web"]["user"] == "$U"


def test_config_doubles_dollars_and_is_the_same_each_time(project: Write) -> None:
    loaded = project({"compose.yaml": web("command: echo $$1\nlabels: {b: 1, a: 2}")})
    assert json.loads(config_text(loaded, "json"))["services"]["web"]["command"] == ["echo", "$$1"]
    assert config_text(loaded) == config_text(loaded, "yaml")
    assert config_text(loaded).index('a: "2"') < config_text(loaded).index('b: "1"')
    with pytest.raises(ValueError, match="toml"):
        config_text(loaded, "toml")


def test_strict_refuses_what_docker_refuses(project: Write) -> None:
    faulty = {"compose.yaml": web("bogus: 1")}
    assert codes(project(faulty)) == ["MIG006"]
    with pytest.raises(Unusable, match="unknown-key"):
        project(faulty, strict=True)
    assert project({"compose.yaml": "services: {}\n"}, strict=True).services == {}
    with pytest.raises(Unusable):
        project({"compose.yaml": "services: {}\n"})


def test_unused_resources_leave_the_project_with_a_finding(project: Write) -> None:
    text = web("user: u") + "volumes: {spare: }\n"
    assert (project({"compose.yaml": text}).volumes, codes(project({"compose.yaml": text}))) == ({}, ["MIG058"])
    assert list(project({"compose.yaml": text}, all_resources=True).volumes) == ["spare"]


def test_the_slide(repository: Path) -> None:
    loaded = load(["docker-compose.yml"], directory=repository / "samples" / "slides", environment={})
    found = {finding.code: finding for finding in loaded.findings}
    assert list(found) == ["MIG017", "MIG055", "MIG050"]
    network, swapped = found["MIG017"], found["MIG055"]
    assert network.span is not None
    assert [network.span.line, *(span.line for span in network.also)] == [7, 13, 19]
    assert "'prod_net' is assumed" in network.message
    assert "10.10.10.4, 10.10.10.6, 10.10.10.8" in network.message
    assert swapped.span is not None
    assert (swapped.span.line, swapped.also[0].line) == (16, 17)
    assert {name: list(service.networks) for name, service in loaded.services.items()} == {
        name: ["prod_net"] for name in ("cas", "activemq", "solr")
    }
    assert (loaded.services["solr"].image, loaded.services["solr"].container_name) == ("dockerhub.ebaotech.com/solr:v1.6.8", "solr")
    assert loaded.networks["prod_net"].subnets[0].subnet == "10.10.10.0/24"


def test_a_build_without_context_belongs_to_the_included_file(project: Write) -> None:
    files = {
        "compose.yaml": "include: [sub/i.yaml]\nservices: {own: {build: {target: t}}}\n",
        "sub/i.yaml": "services: {inner: {build: {dockerfile: D}}}\n",
    }
    loaded = project(files)
    contexts = {name: service["build"]["context"] for name, service in loaded.data["services"].items()}
    assert contexts == {"inner": str(loaded.directory / "sub"), "own": str(loaded.directory)}


def test_a_later_file_hides_no_fault_of_an_earlier_one(project: Write) -> None:
    files = {"a.yaml": web("privileged: [a]"), "b.yaml": "services:\n  web:\n    privileged: !override true\n"}
    assert "MIG007" in codes(project(files, names=("a.yaml", "b.yaml")))
    late = {"a.yaml": web("mem_limit: 10x"), "b.yaml": "services:\n  web:\n    mem_limit: 10m\n"}
    assert codes(project(late, names=("a.yaml", "b.yaml"))) == []


def test_texts_of_numbers_are_decimal_and_sizes_follow_the_real_program(project: Write) -> None:
    loaded = project({"compose.yaml": web("scale: '010'\ncpus: 0.123456789\nmem_limit: 1e9\nshm_size: '-1'\nports: ['9-11']")})
    service = loaded.data["services"]["web"]
    assert (service["scale"], service["cpus"], service["shm_size"]) == (10, 0.12345679, "-1")
    assert "mem_limit" not in service
    assert [port["target"] for port in service["ports"]] == [10, 11, 9]
    assert codes(loaded) == ["MIG057"]
