"""What an API server answers, read without one: Statuses as they were recorded, places, secrets, and the way back to the Compose file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import migrate
from migrate import live
from migrate.findings import Action
from migrate.rules import found
from migrate.source import Path_, SourceMap
from migrate.verify import server
from migrate.verify.objects import mapping
from migrate.verify.origins import KEYS, Origins
from migrate.verify.refusals import Judged, Refusal, Right, is_below, refusals, without
from migrate.verify.standing import waiting_for

WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}]},
                    {"name": "b", "ports": [{"containerPort": "x"}], "imagez": "y"},
                ]
            }
        }
    },
}
INNER: Path_ = ("spec", "template", "spec", "containers")


def failure(code: int, message: str, *causes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": "Invalid",
        "message": message,
        "details": {"causes": list(causes)},
    }


def paths(status: Mapping[str, Any], manifest: Mapping[str, Any] = WEB) -> list[Path_]:
    return [refusal.path for refusal in refusals(status, manifest)]


def test_all_causes_of_refused_values_with_their_fields() -> None:
    status = failure(
        422,
        'Deployment.apps "web" is invalid',
        {"reason": "FieldValueInvalid", "field": "spec.template.spec.containers[0].ports[1].containerPort", "message": "Invalid value: 0"},
        {"reason": "FieldValueRequired", "field": "spec.selector", "message": "Required value"},
        {"reason": "FieldValueInvalid", "field": "metadata.labels[a.b/c]", "message": "Invalid value"},
        {"reason": "FieldValueInvalid", "field": "<nil>", "message": "Invalid value"},
    )
    assert paths(status) == [(*INNER, 0, "ports", 1, "containerPort"), ("spec", "selector"), ("metadata", "labels", "a.b/c"), ()]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "failed to create typed patch object (ns/web; apps/v1, Kind=Deployment): errors:\n"
            '  .spec.template.spec.containers[name="b"].imagez: field not declared in schema\n'
            '  .spec.template.spec.containers[name="a"].ports[containerPort=81,protocol="UDP"].hostPort: expected numeric, got string',
            [(*INNER, 1, "imagez"), (*INNER, 0, "ports", 1, "hostPort")],
        ),
        (
            "failed to create typed patch object (ns/web; apps/v1, Kind=Deployment): .spec.replicas: expected numeric, got string",
            [("spec", "replicas")],
        ),
        (
            'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
            'unknown field "spec.template.spec.containers[1].imagez", unknown field "spec.x"',
            [(*INNER, 1, "imagez"), ("spec", "x")],
        ),
        (
            'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field '
            "ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
            [(*INNER, 1, "ports", 0, "containerPort")],
        ),
    ],
    ids=["several typed", "one typed", "unknown fields", "wrong type"],
)
def test_places_in_texts(message: str, expected: list[Path_]) -> None:
    found = refusals(failure(500, message), WEB)
    assert [refusal.path for refusal in found] == expected
    assert not any(refusal.decoded for refusal in found)


def test_what_names_no_place_is_told_of_the_whole_object() -> None:
    assert paths(failure(403, "exceeded quota")) == [()]
    assert [r.message for r in refusals({}, WEB)] == ["refused without a word"]


def test_values_that_may_be_secret_are_not_repeated() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}}
    cause = {"field": "data[k]", "message": 'Invalid value: "hunter2": a valid key must consist of', "reason": "FieldValueInvalid"}
    assert [r.message for r in refusals(failure(422, "", cause), secret)] == ["Invalid value: a valid key must consist of"]
    typed = 'failed to create typed patch object (a/b): .spec.template.spec.containers[name="a"].env: expected list, got &{hunter2}'
    assert "hunter2" not in refusals(failure(500, typed), WEB)[0].message
    plain = {"field": "spec.replicas", "message": "Invalid value: -1: must be greater than or equal to 0", "reason": "FieldValueInvalid"}
    assert refusals(failure(422, "", plain), WEB)[0].message == "Invalid value: -1: must be greater than or equal to 0"


def test_what_was_not_read_is_taken_out_and_nothing_else() -> None:
    told = [
        Refusal(path=path, message="", reason="", told_by=500, decoded=False) for path in ((*INNER, 1, "imagez"), (*INNER, 1, "ports", 0))
    ]
    rest = without(WEB, told)
    assert rest is not None
    assert rest["spec"]["template"]["spec"]["containers"] == [
        WEB["spec"]["template"]["spec"]["containers"][0],
        {"name": "b", "ports": [{}]},
    ]
    assert "imagez" in WEB["spec"]["template"]["spec"]["containers"][1], "the object itself is not touched"
    assert without(WEB, [Refusal(path=("spec", "nothing"), message="", reason="", told_by=500, decoded=False)]) is None
    assert without(WEB, [Refusal(path=("spec",), message="", reason="", told_by=422)]) is None
    assert is_below(("a", 0, "b"), ("a", 0)) and not is_below(("a",), ("a", 0)) and not is_below(("a",), ())


# ------------------------------------------------------------------ back to the Compose file

COMPOSE = """\
services:
  web:
    image: nginx:1.27
    command: ["nginx", "-g", "daemon off;"]
    environment: {MODE: fast}
    ports:
      - "8080:80"
      - "8443:443"
    volumes:
      - data:/data
    healthcheck: {test: ["CMD", "true"]}
    deploy:
      replicas: 2
      resources: {limits: {memory: 64M}}
    user: "1000"
    hostname: web-host
    stop_grace_period: 20s
  side:
    image: busybox:1
    command: httpd -f
    network_mode: service:web
volumes: {data: {}}
"""


@pytest.fixture(scope="module")
def conversion(tmp_path_factory: pytest.TempPathFactory) -> migrate.Conversion:
    folder = tmp_path_factory.mktemp("origins")
    (folder / "compose.yaml").write_text(COMPOSE)
    return migrate.convert("compose.yaml", directory=folder)


@pytest.mark.parametrize(
    ("container", "path", "line"),
    [
        (0, ("image",), 3),
        (0, ("args", 0), 4),
        (0, ("env", 0, "value"), 5),
        (0, ("ports", 1, "containerPort"), 8),
        (0, ("volumeMounts", 0, "mountPath"), 10),
        (0, ("readinessProbe", "exec"), 11),
        (0, ("resources", "limits", "memory"), 14),
        (0, ("securityContext", "runAsUser"), 15),
        (0, ("terminationMessagePath",), 2),
        (1, ("image",), 19),
    ],
)
def test_a_field_of_a_container_leads_to_its_line(conversion: migrate.Conversion, container: int, path: Path_, line: int) -> None:
    origins = Origins(project=conversion.project, plan=conversion.plan)
    workload = next(m for m in conversion.manifests if m["kind"] in {"Deployment", "StatefulSet"})
    span = origins.span(workload, (*INNER, container, *path))
    assert span is not None and span.line == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("spec", "replicas"), 13),
        (("spec", "template", "spec", "terminationGracePeriodSeconds"), 17),
        (("spec", "template", "spec", "hostname"), 16),
        (("spec", "template", "spec", "volumes", 0), 9),
        (("spec", "progressDeadlineSeconds"), 2),
        ((), 2),
    ],
)
def test_a_field_of_the_workload_leads_to_its_line(conversion: migrate.Conversion, path: Path_, line: int) -> None:
    origins = Origins(project=conversion.project, plan=conversion.plan)
    workload = next(m for m in conversion.manifests if m["kind"] in {"Deployment", "StatefulSet"})
    span = origins.span(workload, path)
    assert span is not None and span.line == line


def test_objects_of_no_service_have_no_line(conversion: migrate.Conversion) -> None:
    origins = Origins(project=conversion.project, plan=conversion.plan)
    assert origins.span({"kind": "ConfigMap", "metadata": {"name": "stranger"}}, ("data",)) is None


def test_every_key_of_the_table_is_one_that_compose_knows(shared: Path) -> None:
    known = [line.split("\t")[0] for line in (shared / "specs" / "compose-keys.tsv").read_text().splitlines()[1:]]
    first = {part for path in known for part in path.replace("*", "").split(".")}
    assert [key for _, keys in KEYS for key in keys if key[0] not in first] == []


def test_findings_of_what_was_judged(conversion: migrate.Conversion) -> None:
    manifests = list(conversion.manifests)
    position = next(i for i, m in enumerate(manifests) if m["kind"] in {"Deployment", "StatefulSet"})
    judged = [
        Judged(position=position, refusals=(Refusal(path=("spec", "replicas"), message="no", reason="", told_by=422),), warnings=("old",)),
        Judged(position=0, unserved=True),
        Judged(position=1, lacking=(Right(verb="create", group="apps", resource="deployments", namespace="a"),), namespace="default"),
    ]
    places = [SourceMap({}) for _ in manifests]
    found = list(server.findings(judged, manifests, places, Origins(project=conversion.project, plan=conversion.plan)))
    assert [f.code for f in found] == ["MIG930", "MIG961", "MIG932", "MIG960"]
    assert found[0].span is not None and found[0].span.line == 13 and found[0].path == "spec.replicas"
    assert "create deployments.apps in namespace a" in found[3].message
    assert [f.code for f in server.elsewhere(judged, manifests)] == ["MIG962"]


def test_one_fault_is_told_once_as_the_server_says_it() -> None:
    local = [
        found("MIG930", f"Deployment {name}: spec.replicas: -1", action=Action.REFUSED, path="spec.replicas") for name in ("web", "db")
    ]
    of_server = [found("MIG930", "Deployment web: spec.replicas: must be 0 or more", action=Action.REFUSED, path="spec.replicas")]
    assert [f.message for f in server.merged(local, of_server)] == [local[1].message, of_server[0].message]


def test_what_must_be_there_is_asked_once() -> None:
    asked: list[tuple[str, str, str]] = []

    def is_absent(kind: tuple[str, str], called: str, where: str) -> bool:
        asked.append((kind[1], called, where))
        return called != "there"

    notes = {"compose-cutover/external": "secret/gone,secret/there,unknown/x"}
    spec = {"template": {"spec": {"runtimeClassName": "gvisor"}}}
    things: list[dict[str, Any]] = [
        {"kind": "Deployment", "metadata": {"name": n, "namespace": "a", "annotations": notes}, "spec": spec} for n in ("x", "y")
    ]
    things.append({"kind": "Ingress", "metadata": {"name": "i", "namespace": "a"}, "spec": {"ingressClassName": "nginx"}})
    claims = [{"spec": {"storageClassName": "fast"}}, {"spec": {}}]
    things.append({"kind": "StatefulSet", "metadata": {"name": "s", "namespace": "a"}, "spec": {"volumeClaimTemplates": claims}})
    found = list(server.absences(things, [SourceMap({}) for _ in things], None, ["secret/more", "secret/there"], is_absent))
    assert sorted(set(asked)) == sorted(asked), "each is asked for once"
    assert {f.message.split(": ")[-1].split(" must")[0] for f in found} == {
        "Secret 'gone'",
        "RuntimeClass 'gvisor'",
        "IngressClass 'nginx'",
        "StorageClass 'fast'",
        "Secret 'more'",
    }


# ------------------------------------------------------------------ states, headers, bodies


@pytest.mark.parametrize(
    ("kind", "spec", "state", "words"),
    [
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 1}, "1 of 2 replicas are of the new version"),
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 2, "replicas": 3}, "1 replicas of an old version are yet to end"),
        ("Deployment", {"replicas": 2}, {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}, "1 of 2 replicas are available"),
        ("Deployment", {}, {"conditions": [{"reason": "ProgressDeadlineExceeded"}]}, "exceeded its progress deadline"),
        ("Deployment", {}, {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}, ""),
        ("StatefulSet", {"replicas": 2}, {"readyReplicas": 1}, "1 of 2 replicas are ready"),
        ("StatefulSet", {}, {"readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"}, "0 of 1 replicas are of the new version"),
        ("StatefulSet", {}, {"readyReplicas": 1, "updateRevision": "a", "currentRevision": "a"}, ""),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "updatedNumberScheduled": 2}, "2 of 3 pods are of the new version"),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 1}, "1 of 3 pods are available"),
        ("Job", {}, {"active": 1}, "1 pods run"),
        (
            "Job",
            {},
            {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]},
            "failed: BackoffLimitExceeded",
        ),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, ""),
        ("PersistentVolumeClaim", {}, {"phase": "Pending"}, "is Pending"),
        ("ConfigMap", {}, {}, ""),
    ],
)
def test_what_an_object_waits_for(kind: str, spec: dict[str, Any], state: dict[str, Any], words: str) -> None:
    assert waiting_for({"kind": kind, "spec": spec, "status": state}) == words


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(live.ServerFault, match="holds no usable account"):
        live.connect(str(tmp_path / "nothing"))
    config = tmp_path / "config"
    config.write_text(
        "{clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], users: [{name: u, user: {token: t}}],"
        " contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}], current-context: x}"
    )
    server_ = live.connect(str(config))
    assert (server_.host, server_.home) == ("http://127.0.0.1:1", "shop")
    with pytest.raises(live.ServerFault, match="does not answer"):
        server_.version()


def test_bodies_are_yaml_too() -> None:
    import yaml

    text = '😀 \x85 \x7f \u2028 \ufeff plain " \\ud83d'
    sent = live._sent({"k": text})
    assert yaml.safe_load(sent) == {"k": text}
    assert mapping(yaml.safe_load(sent))["k"] == text


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "one"', ("one",)),
        ('299 - "one", 299 - "say \\"two\\", then"', ("one", 'say "two", then')),
        ("nonsense", ()),
    ],
)
def test_warnings_of_headers(header: str, texts: tuple[str, ...]) -> None:
    class Headers:
        def getlist(self, _: str) -> list[str]:
            return [header]

    assert live._warnings(Headers()) == texts


class Busy(BaseHTTPRequestHandler):
    """A server that is too busy at first, and that closes a connection without a word."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/version" and self.asked.count("/version") == 1:
            self.answer(429, b"{}", {"Retry-After": "0"})
        elif self.path == "/dropped" and self.asked.count("/dropped") == 1:
            self.close_connection = True
        else:
            self.answer(200, b'{"gitVersion": "v1.36.3"}', {})

    def answer(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_a_busy_server_is_asked_again(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        config = tmp_path / "config"
        config.write_text(
            f"{{clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{listening.server_port}'}}}}],"
            " users: [{name: u, user: {token: t}}], contexts: [{name: x, context: {cluster: c, user: u}}], current-context: x}"
        )
        connected = live.connect(str(config))
        connected.client.rest_client.pool_manager.connection_pool_kw["timeout"] = 5
        assert connected.version() == "v1.36.3" and Busy.asked.count("/version") == 2
        assert connected.ask("GET", "/dropped").accepted and Busy.asked.count("/dropped") == 2
        connected.client.close()
        listening.shutdown()
