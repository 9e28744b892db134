"""`convert --format` on the command line: which forms need a folder, what comes next, and that every form is written the same way."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from migrate.cli import program

STACK = "name: blog\nservices: {web: {image: 'web:1', ports: ['8080:80'], environment: {DB_PASSWORD: s3cret}}}\n"
PLAN = "version: 1\nenvironments: {dev: {services: {web: {replicas: 3}}}}\n"


def convert(folder: Path, *options: str) -> Result:
    (folder / "compose.yaml").write_text(STACK)
    (folder / "plan.yaml").write_text(PLAN)
    return CliRunner().invoke(program, ["convert", "-f", str(folder / "compose.yaml"), *options], standalone_mode=False)


@pytest.mark.parametrize("form", ["kustomize", "helm"])
def test_a_tree_needs_a_folder(tmp_path: Path, form: str) -> None:
    refused = convert(tmp_path, "--format", form)
    assert refused.exception is not None and "needs -o DIR" in str(refused.exception)


@pytest.mark.parametrize(
    ("form", "following"),
    [("plain", "kubectl apply -f {}"), ("kustomize", "kubectl apply -k {}/base"), ("helm", "helm upgrade --install blog {}")],
)
def test_the_next_command_is_told_and_a_second_run_changes_nothing(tmp_path: Path, form: str, following: str) -> None:
    out = tmp_path / "out"
    first = convert(tmp_path, "--format", form, "-o", str(out))
    assert following.format(out) in first.stderr and first.stdout == ""
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.rglob("*") if path.is_file()}
    again = convert(tmp_path, "--format", form, "-o", str(out))
    assert "as before" in again.stderr and " new" not in again.stderr.split("files:")[1]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in out.rglob("*") if path.is_file()} == before
    assert convert(tmp_path, "--format", form, "-o", str(out), "--diff").stdout == ""


@pytest.mark.parametrize("form", ["kustomize", "helm"])
def test_a_difference_shows_no_secret(tmp_path: Path, form: str) -> None:
    shown = convert(tmp_path, "--format", form, "-o", str(tmp_path / "out"), "--diff").stdout
    assert "web:1" in shown or "web" in shown
    assert "s3cret" not in shown and "their values are not shown" in shown
    assert not (tmp_path / "out").exists()


def test_secrets_in_the_clear_are_told(tmp_path: Path) -> None:
    for form in ("plain", "kustomize", "helm"):
        assert "MIG402 warning" in convert(tmp_path, "--format", form, "-o", str(tmp_path / form)).stderr


@pytest.mark.parametrize(("form", "told"), [("plain", True), ("helm", True), ("kustomize", False)])
def test_environments_that_a_form_does_not_write_are_told(tmp_path: Path, form: str, told: bool) -> None:
    plan = ("--plan", str(tmp_path / "plan.yaml"))
    said = convert(tmp_path, *plan, "--format", form, "-o", str(tmp_path / "out")).stderr
    assert ("the environments of the plan (dev) are overlays of --format kustomize" in said) is told
    assert (tmp_path / "out" / "overlays" / "dev" / "kustomization.yaml").is_file() is not told
