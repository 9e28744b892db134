"""The real `helm` and `kubectl kustomize` give the plain objects, and what the interpreters of the fast tests give."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import migrate
from benchmarks.convert import corpus_files
from migrate.write import save
from migrate.write.helm import helm
from migrate.write.kustomize import kustomize
from migrate.write.overlay import operations_between
from migrate.write.pods import file_maps
from tests.live.cluster import Cluster, Space
from tests.live.tools import Tools
from tests.migrate.helm_templates import Chart
from tests.migrate.test_write_helm import EFFECTS, REFUSED, setting
from tests.migrate.test_write_texts import TEXT, UNBUILT, stacks, without_empty
from tests.migrate.written_stacks import ENVIRONMENTS, rich

SAMPLES = ("ghost", "shop", "slides")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which no program reads what a user configured."""
    folder = str(tmp_path_factory.mktemp("home"))
    return {"PATH": os.environ.get("PATH", ""), **{f"HELM_{name}_HOME": folder for name in ("CACHE", "CONFIG", "DATA")}, "HOME": folder}


def ran(command: Sequence[str], environment: Mapping[str, str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def objects(text: str) -> dict[tuple[str, str], Any]:
    return {(o["kind"], o["metadata"]["name"]): o for o in yaml.load_all(text, Loader=yaml.CSafeLoader) if o}


def same(found: Mapping[tuple[str, str], Any], wanted: Sequence[Mapping[str, Any]], what: object) -> None:
    expected = {(o["kind"], o["metadata"]["name"]): o for o in wanted}
    assert found.keys() == expected.keys(), what
    differing = {key: list(operations_between(expected[key], found[key])) for key in expected if found[key] != expected[key]}
    assert differing == {}, what


def kustomized(tools: Tools, home: Mapping[str, str], folder: Path, wanted: Sequence[Mapping[str, Any]]) -> None:
    """A kustomization builds to the objects, but for the hashes of generated names."""
    text = ran([tools.plane, "kubectl", "kustomize", str(folder)], home)
    found = json.dumps(list(yaml.load_all(text, Loader=yaml.CSafeLoader)))
    for name in sorted(file_maps(wanted), key=len, reverse=True):
        found, count = re.subn(rf'"{re.escape(name)}-[a-z0-9]{{10}}"', f'"{name}"', found)
        assert count >= 1
    same({(o["kind"], o["metadata"]["name"]): o for o in json.loads(found)}, wanted, folder)


def compare(tools: Tools, home: Mapping[str, str], conversion: migrate.Conversion, folder: Path) -> None:
    conversion.write(folder / "kustomize", form="kustomize")
    kustomized(tools, home, folder / "kustomize" / "base", conversion.manifests)
    kustomized(tools, home, folder / "kustomize" / "overlays" / "production", conversion.manifests)
    conversion.write(folder / "helm", form="helm")
    told = ran([tools.helm, "lint", "--strict", str(folder / "helm")], home)
    assert "WARNING" not in told and "ERROR" not in told
    same(objects(ran([tools.helm, "template", "release", str(folder / "helm")], home)), conversion.manifests, folder)


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(tools: Tools, home: Mapping[str, str], repository: Path, tmp_path: Path, sample: str) -> None:
    compare(tools, home, migrate.convert("docker-compose.yml", directory=repository / "samples" / sample), tmp_path)


def test_corpus_stacks(tools: Tools, home: Mapping[str, str], shared: Path, tmp_path: Path) -> None:
    compared = 0
    for number, file in enumerate(corpus_files()[1::5]):
        try:
            conversion = migrate.convert(file.name, directory=file.parent)
        except migrate.Unusable:
            continue
        compare(tools, home, conversion, tmp_path / str(number))
        compared += 1
    assert compared >= 20


def test_texts_that_templates_and_generators_could_damage(tools: Tools, home: Mapping[str, str], tmp_path: Path) -> None:
    compare(tools, home, rich(tmp_path), tmp_path)


def test_environments(tools: Tools, home: Mapping[str, str], tmp_path: Path) -> None:
    conversion = rich(tmp_path, ENVIRONMENTS)
    conversion.write(tmp_path / "out", form="kustomize")
    assert set(conversion.environments) == {"dev", "production"}
    for name, manifests in conversion.environments.items():
        kustomized(tools, home, tmp_path / "out" / "overlays" / name, manifests)


DRAWN = settings(deadline=None, max_examples=20, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@DRAWN
@given(manifests=stacks(TEXT.filter(lambda text: not UNBUILT.search(text))))
def test_drawn_texts_in_a_kustomization(
    tools: Tools, home: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, manifests: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    save(kustomize(manifests), folder / "out")
    kustomized(tools, home, folder / "out" / "base", manifests)


@DRAWN
@given(manifests=stacks())
def test_drawn_texts_in_a_chart(
    tools: Tools, home: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory, manifests: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    save(helm(manifests), folder / "chart")
    given_back = objects(ran([tools.helm, "template", "release", str(folder / "chart")], home))
    same({key: without_empty(thing) for key, thing in given_back.items()}, without_empty(manifests), folder)


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Chart]:
    folder = tmp_path_factory.mktemp("rich")
    conversion = rich(folder)
    conversion.write(folder / "helm", form="helm")
    return folder / "helm", Chart(conversion.tree("helm"))


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, value, _ in EFFECTS])
def test_values_change_what_the_fast_tests_say(
    tools: Tools, home: Mapping[str, str], chart: tuple[Path, Chart], tmp_path: Path, path: str, value: Any
) -> None:
    folder, interpreter = chart
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(setting(path, value)))
    text = ran([tools.helm, "template", "release", str(folder), "-f", str(values)], home)
    same(objects(text), interpreter.render(setting(path, value)), path)


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_helm_refuses_what_the_schema_refuses(
    tools: Tools, home: Mapping[str, str], chart: tuple[Path, Chart], tmp_path: Path, path: str, value: Any
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(setting(path, value)))
    command = [tools.helm, "template", "release", str(chart[0]), "-f", str(values)]
    ended = subprocess.run(command, capture_output=True, text=True, env=home, check=False)
    assert ended.returncode != 0 and "values don't meet the specifications of the schema" in ended.stderr


def test_the_release_gives_the_namespace_where_none_is_named(tools: Tools, home: Mapping[str, str], chart: tuple[Path, Chart]) -> None:
    settings = ["--set", "namespace.name=,namespace.create=false", "-n", "of-release"]
    text = ran([tools.helm, "template", "release", str(chart[0]), *settings], home)
    assert {o["metadata"]["namespace"] for o in objects(text).values()} == {"of-release"}


def test_a_chart_is_installed_changed_and_undone(cluster: Cluster, space: Space, tmp_path: Path) -> None:
    """The release lives in the namespace of the test, and what it leaves behind is nothing."""
    (tmp_path / "compose.yaml").write_text(
        "name: blog\nservices:\n  web: {image: 'web:1', ports: ['8080:80'], environment: {DB_PASSWORD: s3cret}, volumes: ['data:/data']}\n"
        "volumes: {data: {}}\n"
    )
    migrate.convert("compose.yaml", directory=tmp_path).write(tmp_path / "chart", form="helm")
    values = ["--set", "namespace.name=,namespace.create=false", "-n", space.name]

    def helm_does(*arguments: str) -> None:
        done = cluster.helm(*arguments)
        assert done.code == 0, done.err

    def replicas() -> Any:
        return cluster.get(f"/apis/apps/v1/namespaces/{space.name}/statefulsets/web")["spec"]["replicas"]

    helm_does("install", "blog", str(tmp_path / "chart"), *values)
    assert replicas() == 1
    assert cluster.ask("GET", f"/api/v1/namespaces/{space.name}/secrets/web-env").accepted
    helm_does("upgrade", "blog", str(tmp_path / "chart"), *values, "--set", "services.web.replicas=2")
    assert replicas() == 2
    helm_does("rollback", "blog", "1", "-n", space.name)
    assert replicas() == 1
    helm_does("uninstall", "blog", "-n", space.name)
    assert not cluster.ask("GET", f"/apis/apps/v1/namespaces/{space.name}/statefulsets/web").accepted
    assert not cluster.ask("GET", f"/api/v1/namespaces/{space.name}/secrets/web-env").accepted


def test_an_overlay_is_applied_and_its_lines_change_what_they_name(cluster: Cluster, space: Space, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "web.conf").write_text("listen 80;\n")
    (tmp_path / "compose.yaml").write_text(
        "name: blog\nservices:\n  web: {image: 'web:1', ports: ['8080:80'], volumes: ['./conf:/etc/web:ro']}\n"
    )
    (tmp_path / "plan.yaml").write_text(
        f"version: 1\nenvironments: {{dev: {{project: {{namespace: {space.name}, exposure: nodeport}}}}}}\n"
    )
    conversion = migrate.convert("compose.yaml", directory=tmp_path, plan=tmp_path / "plan.yaml")
    conversion.write(tmp_path / "out", form="kustomize")
    overlay = tmp_path / "out" / "overlays" / "dev"

    def apply() -> Any:
        done = space.kubectl("apply", "-k", str(overlay))
        assert done.code == 0, done.err
        return space.get("apps/v1/deployments", "web")["spec"]

    before = apply()
    assert before["replicas"] == 1 and space.get("v1/services", "web-published")["spec"]["type"] == "NodePort"
    text = (overlay / "kustomization.yaml").read_text()
    (overlay / "kustomization.yaml").write_text(text.replace("count: 1", "count: 3").replace('newTag: "1"', 'newTag: "2"'))
    after = apply()
    assert after["replicas"] == 3 and after["template"]["spec"]["containers"][0]["image"] == "web:2"
    (tmp_path / "out" / "base" / "files" / "files-conf" / "web.conf").write_text("listen 81;\n")
    renamed = apply()["template"]["spec"]["volumes"][0]["configMap"]["name"]
    assert renamed != after["template"]["spec"]["volumes"][0]["configMap"]["name"]
    assert space.get("v1/configmaps", renamed)["data"] == {"web.conf": "listen 81;\n"}
