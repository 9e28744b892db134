"""What is wrong with the declared addresses, and files that must not hide or be followed (conversion.md 2.5)."""

from __future__ import annotations

from pathlib import Path

import migrate
from tests.migrate.stacks import meaning

STACK = """
services:
  web: {image: "nginx:1", networks: {n: {ipv4_address: %s}}}
networks:
  n: {ipam: {config: [{subnet: 172.28.0.0/24}]}}
"""


def faults(folder: Path, address: str) -> list[tuple[str, str]]:
    return [(f.code, str(f.span)) for f in meaning(folder, STACK % address).findings if f.code in ("MIG053", "MIG229")]


def test_malformed_address_is_told_at_its_place(tmp_path: Path) -> None:
    assert faults(tmp_path, "172.28.0.300") == [("MIG053", "compose.yaml:3:56")]


def test_address_outside_its_subnet_is_told_at_its_place(tmp_path: Path) -> None:
    assert faults(tmp_path, "10.0.0.1") == [("MIG053", "compose.yaml:3:56")]


def test_address_inside_its_subnet_has_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, "172.28.0.9") == []


def test_variable_without_value_is_no_malformed_address(tmp_path: Path) -> None:
    assert [code for code, _ in faults(tmp_path, "'${WEB_IP}'")] == ["MIG229"]


def test_mounted_resolv_conf_is_dropped_with_a_finding(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 1.1.1.1\n")
    (tmp_path / "compose.yaml").write_text('services:\n  web: {image: "nginx:1", volumes: ["./resolv.conf:/etc/resolv.conf:ro"]}\n')
    conversion = migrate.convert("compose.yaml", directory=tmp_path)
    container = next(m for m in conversion.manifests if m["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert "volumeMounts" not in container and not any(m["kind"] == "ConfigMap" for m in conversion.manifests)
    assert any(f.code == "MIG241" and "not mounted" in f.message and f.span and f.span.line == 2 for f in conversion.findings)


def test_links_that_lead_out_are_told_of_mounted_directories_only(tmp_path: Path) -> None:
    for folder in ("conf", "beside"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "out.conf").symlink_to("/etc/hostname")
    (tmp_path / "conf" / "a.conf").write_text("a\n")
    stack = meaning(tmp_path, 'services:\n  web: {image: "nginx:1", volumes: ["./conf:/etc/web:ro"]}\n')
    assert [f.span.file for f in stack.findings if f.code == "MIG424" and f.span] == ["conf/out.conf"]
