"""A chart gives the plain objects; each value changes what it names and nothing else; the schema refuses what cannot be meant."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import migrate
from benchmarks.convert import corpus_files
from migrate.kube.state import content_digest
from migrate.verify import check
from migrate.write.helm import helm
from migrate.write.overlay import operations_between
from migrate.write.template import Given, Say, template
from tests.migrate.helm_templates import Chart
from tests.migrate.written_stacks import rich

SAMPLES = ("ghost", "shop", "slides")


def by_name(objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


def setting(path: str, value: Any) -> dict[str, Any]:
    """The values in which one is set: `services/web/replicas` or, for keys that hold a slash, parts joined by it."""
    found = value
    for key in reversed(path.split("/")):
        found = {key: found}
    return found  # type: ignore[no-any-return]


def changes(chart: Chart, values: Mapping[str, Any]) -> list[str]:
    """`Kind name /place` of everything that the values change, and `- Kind name`, `+ Kind name`."""
    old, new = by_name(chart.plain), by_name(chart.render(values))
    found = [f"- {kind} {name}" for kind, name in old if (kind, name) not in new]
    found += [f"+ {kind} {name}" for kind, name in new if (kind, name) not in old]
    for kind, name in old:
        if (kind, name) in new:
            found += [f"{kind} {name} {o['path']}" for o in operations_between(old[kind, name], new[kind, name])]
    return found


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(rich(tmp_path_factory.mktemp("rich")).tree("helm"))


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_give_the_plain_objects(repository: Path, sample: str) -> None:
    conversion = migrate.convert("docker-compose.yml", directory=repository / "samples" / sample)
    assert by_name(Chart(conversion.tree("helm")).render()) == by_name(conversion.manifests)


def test_everything_that_a_chart_offers_gives_the_plain_objects(tmp_path: Path) -> None:
    conversion = rich(tmp_path)
    assert by_name(Chart(conversion.tree("helm")).render()) == by_name(conversion.manifests)


def test_corpus_stacks_give_the_plain_objects(shared: Path) -> None:
    given = 0
    for file in corpus_files()[::5]:
        try:
            conversion = migrate.convert(file.name, directory=file.parent)
        except migrate.Unusable:
            continue
        assert by_name(Chart(conversion.tree("helm")).render()) == by_name(conversion.manifests), file
        given += 1
    assert given >= 19


WEB = "Deployment web /spec/template/spec"
CHECKSUM = "/spec/template/metadata/annotations/compose-cutover~1checksum"
EFFECTS: Sequence[tuple[str, Any, Sequence[str]]] = [
    ("namespace/create", False, ["- Namespace rich"]),
    (
        "networkPolicies/enabled",
        False,
        ["- NetworkPolicy net-default", "- NetworkPolicy scaled-published", "- NetworkPolicy web-published"],
    ),
    ("global/tools/image/tag", "3.23", [f"{WEB}/initContainers/0/image"]),
    (
        "global/tools/kubectl/registry",
        "mirror",
        [f"{WEB}/initContainers/1/image", "Deployment worker /spec/template/spec/initContainers/0/image"],
    ),
    ("services/web/image/tag", "1.5", ["Deployment web /metadata/labels/app.kubernetes.io~1version", f"{WEB}/containers/0/image"]),
    ("services/web/image/registry", "other", [f"{WEB}/containers/0/image"]),
    ("services/web/image/repository", "other", [f"{WEB}/containers/0/image"]),
    ("services/web/image/digest", "sha256:" + "b" * 64, [f"{WEB}/containers/0/image"]),
    ("services/web/replicas", 5, ["Deployment web /spec/replicas"]),
    ("services/web/resources", {"requests": {"cpu": "250m"}}, [f"{WEB}/containers/0/resources/requests"]),
    ("services/web/env/GREETING", "{{ .Values }}", [f"{WEB}/containers/0/env/0/value"]),
    ("services/web/env/EMPTY", "now", [f"{WEB}/containers/0/env/1/value"]),
    ("services/web/env/FROM_FILE", "no", ["ConfigMap web-env /data/FROM_FILE", f"Deployment web {CHECKSUM}"]),
    ("services/web/extraEnv", {"MORE": "yes"}, [f"{WEB}/containers/0/env"]),
    (
        "services/web/existingSecret",
        "kept",
        ["- Secret web-env", f"{WEB}/containers/0/env/3/valueFrom/secretKeyRef/name"],
    ),
    ("secrets/signing/existingSecret", "kept", ["- Secret signing", f"{WEB}/volumes/N/projected/sources/0/secret/name"]),
    (
        "secrets/outside/existingSecret",
        "kept",
        ["Deployment web /metadata/annotations/compose-cutover~1external", f"{WEB}/volumes/N/secret/secretName"],
    ),
    ("services/web/exposure/type", "NodePort", ["Service web-published /spec/type"]),
    ("services/web/exposure/type", "ClusterIP", ["Service web-published /spec/type"]),
    ("services/web/exposure/type", "none", ["- Service web-published", "- NetworkPolicy web-published"]),
    ("services/web/exposure/ports/tcp-18080", 80, ["Service web-published /spec/ports/0/port"]),
    ("services/web/exposure/nodePorts/tcp-18080", 30080, ["Service web-published /spec/ports/0/nodePort"]),
    ("services/web/exposure/loadBalancerIP", "192.0.2.1", ["Service web-published /spec/loadBalancerIP"]),
    ("services/web/exposure/externalTrafficPolicy", "Local", ["Service web-published /spec/externalTrafficPolicy"]),
    ("services/scaled/hpa/enabled", False, ["- HorizontalPodAutoscaler scaled", "Deployment scaled /spec/replicas"]),
    ("services/scaled/hpa/minReplicas", 3, ["HorizontalPodAutoscaler scaled /spec/minReplicas"]),
    ("services/scaled/hpa/maxReplicas", 9, ["HorizontalPodAutoscaler scaled /spec/maxReplicas"]),
    (
        "services/scaled/hpa/cpuPercent",
        30,
        ["HorizontalPodAutoscaler scaled /spec/metrics/0/resource/target/averageUtilization"],
    ),
    ("services/scaled/hpa/memoryPercent", 0, ["HorizontalPodAutoscaler scaled /spec/metrics"]),
    ("services/scaled/replicas", 3, []),  # its autoscaler counts
    ("services/scaled/ingress/enabled", False, ["- Ingress scaled"]),
    ("services/scaled/ingress/className", "nginx", ["Ingress scaled /spec/ingressClassName"]),
    ("services/scaled/ingress/annotations", {"a/b": "c"}, ["Ingress scaled /metadata/annotations/a~1b"]),
    ("services/scaled/ingress/tls", [{"secretName": "t"}], ["Ingress scaled /spec/tls"]),
    (
        "services/scaled/ingress/rules",
        [{"host": "x.example.com"}],
        ["Ingress scaled /spec/rules/0/host", "Ingress scaled /spec/rules/0/http"],
    ),
    ("services/db/persistence/data/size", "20Gi", ["StatefulSet db /spec/volumeClaimTemplates/0/spec/resources/requests/storage"]),
    ("services/db/persistence/data/storageClass", "fast", ["StatefulSet db /spec/volumeClaimTemplates/0/spec/storageClassName"]),
    (
        "services/db/persistence/data/existingClaim",
        "old",
        ["StatefulSet db /spec/template/spec/volumes", "StatefulSet db /spec/volumeClaimTemplates"],
    ),
    ("persistence/media/size", "1Ti", ["PersistentVolumeClaim media /spec/resources/requests/storage"]),
    ("persistence/media/storageClass", "slow", ["PersistentVolumeClaim media /spec/storageClassName"]),
    (
        "persistence/media/existingClaim",
        "old",
        [
            "- PersistentVolumeClaim media",
            "Deployment worker /spec/template/spec/volumes/N/persistentVolumeClaim/claimName",
            f"{WEB}/volumes/N/persistentVolumeClaim/claimName",
        ],
    ),
    (
        "global/rwxClass",
        "nfs",
        [
            "PersistentVolumeClaim media /spec/accessModes/0",
            "PersistentVolumeClaim media /spec/storageClassName",
            "Deployment worker /spec/template/spec/affinity",
            f"{WEB}/affinity",
        ],
    ),
    ("services/nightly/schedule", "0 4 * * *", ["CronJob nightly /spec/schedule"]),
    ("services/sidecar/env/PEER", "::1", ["Deployment worker /spec/template/spec/containers/1/env/0/value"]),
    ("services/prepare/env/STEP", "2", ["Job prepare /spec/template/spec/containers/0/env/0/value"]),
]


@pytest.mark.parametrize(("path", "value", "expected"), EFFECTS, ids=[f"{path}={value}"[:60] for path, value, _ in EFFECTS])
def test_a_value_changes_what_it_names_and_nothing_else(chart: Chart, path: str, value: Any, expected: Sequence[str]) -> None:
    values = setting(path, value)
    jsonschema.validate(chart_values(chart, values), chart.schema)
    found = [re.sub(r"/volumes/\d+/", "/volumes/N/", change) for change in changes(chart, values)]
    assert sorted(found) == sorted(expected)


def chart_values(chart: Chart, values: Mapping[str, Any]) -> dict[str, Any]:
    def over(one: Any, other: Any) -> Any:
        if isinstance(one, dict) and isinstance(other, dict):
            return {**one, **{k: over(one.get(k), v) for k, v in other.items()}}
        return other

    result: dict[str, Any] = over(copy.deepcopy(chart.values), values)
    return result


def test_every_kind_of_setting_has_an_effect_above(chart: Chart) -> None:
    def leaves(value: Any, path: tuple[str, ...]) -> set[tuple[str, ...]]:
        if isinstance(value, dict) and value and path[-1:] != ("resources",):
            return {leaf for key, child in value.items() for leaf in leaves(child, (*path, key))}
        return {path}

    def kind(path: tuple[str, ...]) -> tuple[str, ...]:
        """What a setting is, whose it is left out."""
        steps = path[2:] if path[0] == "services" else path[:1] + path[2:] if path[0] in ("persistence", "secrets") else path
        named = {"env", "ports", "nodePorts", "persistence"}
        return tuple("*" if position and steps[position - 1] in named else step for position, step in enumerate(steps))

    tried = {kind(tuple(path.split("/"))) for path, _, _ in EFFECTS}
    elsewhere = {("namespace", "name"), ("global", "registry"), ("global", "pullSecrets")}
    tools = {("global", "tools", tool, part) for tool in ("image", "kubectl") for part in ("registry", "repository", "tag", "digest")}
    assert {kind(leaf) for leaf in leaves(chart.values, ())} - tried - elsewhere - tools == set()


def test_a_namespace_moves_everything(chart: Chart) -> None:
    moved = chart.render({"namespace": {"name": "elsewhere"}})
    assert "rich" not in {o["metadata"].get("namespace") for o in moved} and ("Namespace", "elsewhere") in by_name(moved)
    assert [s["namespace"] for o in moved for s in o.get("subjects", ())] == ["elsewhere", "elsewhere"]
    released = chart.render({"namespace": {"name": ""}}, namespace="of-release")
    assert {o["metadata"]["namespace"] for o in released if o["kind"] != "Namespace"} == {"of-release"}


def test_a_global_registry_and_pull_secrets_reach_every_pod(chart: Chart) -> None:
    objects = chart.render({"global": {"registry": "mirror.example.com", "pullSecrets": ["one", "two"]}})
    templates = [o["spec"].get("jobTemplate", o)["spec"]["template"]["spec"] for o in objects if "containers" in json.dumps(o)]
    assert len(templates) == 6
    for pod in templates:
        assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
        assert all(c["image"].startswith("mirror.example.com/") for key in ("initContainers", "containers") for c in pod.get(key, ()))


def test_an_autoscaler_can_be_switched_on(chart: Chart, tmp_path: Path) -> None:
    plain = Chart(helm(migrate.convert("compose.yaml", directory=single(tmp_path)).manifests))
    values = {"services": {"web": {"hpa": {"enabled": True, "maxReplicas": 8}}}}
    assert sorted(changes(plain, values)) == ["+ HorizontalPodAutoscaler web", "Deployment web /spec/replicas"]
    objects = plain.render(values)
    assert by_name(objects)["HorizontalPodAutoscaler", "web"]["spec"]["maxReplicas"] == 8
    assert [f.message for f in check(objects, kubernetes_version="1.35")] == []


def single(folder: Path) -> Path:
    (folder / "compose.yaml").write_text("services: {web: {image: 'web:1', expose: ['80']}}\n")
    return folder


def test_what_a_changed_chart_gives_is_valid_too(chart: Chart) -> None:
    for path, value, _ in EFFECTS:
        if (
            path in ("services/scaled/ingress/tls", "services/web/existingSecret", "secrets/signing/existingSecret")
            or "existingClaim" in path
        ):
            continue  # they name what the cluster has
        told = [f.message for f in check(chart.render(setting(path, value)), kubernetes_version="1.35")]
        assert told == [], path


REFUSED: Sequence[tuple[str, Any]] = [
    ("services/web/replica", 3),
    ("services/webb/replicas", 3),
    ("services/web/replicas", "3"),
    ("services/web/replicas", -1),
    ("services/web/env/GREETING", 5),
    ("services/web/exposure/type", "loadbalancer"),
    ("services/web/exposure/ports/tcp-18080", 70000),
    ("services/db/persistence/data/size", "10 GB"),
    ("services/web/image", "web:2"),
    ("secrets/signing/existingSecret", "Not_A_Name"),
    ("networkpolicies", {"enabled": False}),
]


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_the_schema_refuses_what_cannot_be_meant(chart: Chart, path: str, value: Any) -> None:
    jsonschema.validate(chart.values, chart.schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(chart_values(chart, setting(path, value)), chart.schema)


def test_no_secret_stands_in_values_or_templates_but_in_its_own_file(tmp_path: Path) -> None:
    tree = rich(tmp_path).tree("helm")
    holders = [name for name, file in tree.files.items() if b"s3cret" in file.data or b"top {{" in file.data]
    assert holders == ["templates/05-secrets.yaml"]
    assert tree.files["templates/05-secrets.yaml"].mode == 0o600 and tree.files[".gitignore"].text == "templates/05-secrets.yaml\n"


def test_pods_are_replaced_when_a_file_of_the_chart_changes(tmp_path: Path) -> None:
    chart = Chart(rich(tmp_path).tree("helm"))
    before = by_name(chart.render())
    chart.files["files/files-plain/dos.ini"] = b"[a]\r\nb=2\r\n"
    after = by_name(chart.render())
    changed = {key: [o["path"] for o in operations_between(before[key], after[key])] for key in before if before[key] != after[key]}
    assert changed == {("ConfigMap", "files-plain"): ["/data/dos.ini"], ("Deployment", "web"): [CHECKSUM]}


def test_secrets_by_reference_are_values(tmp_path: Path) -> None:
    conversion = rich(tmp_path, "version: 1\nproject: {secrets: external}\n")
    chart = Chart(conversion.tree("helm"))
    assert not any(name.endswith("05-secrets.yaml") for name in chart.files)
    assert by_name(chart.render()) == by_name(conversion.manifests)
    assert chart.values["services"]["web"]["existingSecret"] == "web-env"
    assert changes(chart, {"services": {"db": {"existingSecret": "kept"}}}) == [
        "StatefulSet db /metadata/annotations/compose-cutover~1external",
        "StatefulSet db /spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/name",
    ]


def test_the_chart_says_what_it_is(chart: Chart) -> None:
    said = yaml.safe_load(chart.files["Chart.yaml"])
    assert said["apiVersion"] == "v2" and said["name"] == "rich" and re.fullmatch(r"\d+\.\d+\.\d+", said["version"])
    assert b"web-published" in chart.files["templates/NOTES.txt"]


@pytest.mark.parametrize(
    "text", ["{{", "a {{ b }} c", "{{{{", "x\n{{- end }}\n", '{{ "{{" }}', "tail \n", "two\n\n", "\ue000s0\ue001", "}}"]
)
def test_texts_come_out_as_they_went_in(text: str) -> None:
    thing = {"kind": "K", "text": text, "list": [text, Given(condition="not .off", value={"in": text})], "last": {"a": text}}
    source = template([Given(condition="not .off", value={**thing, "say": Say(expression='"x" | toJson')})])
    interpreter = Chart.__new__(Chart)
    from tests.migrate.helm_templates import parsed

    got = yaml.safe_load(interpreter.run(parsed(source), {}, {"$": {}}))
    assert got == {"kind": "K", "text": text, "list": [text, {"in": text}], "last": {"a": text}, "say": "x"}


def test_digest_of_content_does_not_confuse_keys_and_values() -> None:
    assert content_digest({"a": b"b", "c": b""}) != content_digest({"a": b"", "bc": b""})
