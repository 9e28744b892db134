"""`migrate verify --server`: all that the API server refuses, with the object, the field and the line of the Compose file."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from migrate import cli, live
from tests.live.cluster import Cluster, Space, of_kind

COMPOSE = """\
services:
  web:
    image: nginx:1.27
    ports:
      - "8080:80"
      - "8443:443"
    environment:
      MODE: fast
    volumes:
      - data:/var/lib/data
    deploy:
      replicas: 2
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: hunter2-hunter2
    volumes:
      - db:/var/lib/postgresql/data
volumes:
  data: {}
  db: {}
"""
LINES = {text.strip(): number for number, text in enumerate(COMPOSE.splitlines(), 1)}

Change = Callable[[dict[tuple[str, str], dict[str, Any]]], None]


@pytest.fixture
def stack(space: Space) -> Path:
    """A folder with the Compose file; its manifests lie in `out/`."""
    (space.folder / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    return space.folder


Told = tuple[int, list[dict[str, Any]], str]


def told(space: Space, stack: Path, change: Change | None = None, *more: str, namespace: str | None = None) -> Told:
    """Convert, change the manifests as somebody might, and let the server judge them: exit status, findings, standard error."""
    conversion = migrate.convert(["compose.yaml"], directory=stack, namespace=namespace or space.name, project_name="stack")
    manifests = {(m["kind"], m["metadata"]["name"]): yaml.safe_load(yaml.safe_dump(m)) for m in conversion.manifests}
    if change is not None:
        change(manifests)
    (stack / "all.yaml").write_text(yaml.safe_dump_all(manifests.values()), encoding="utf-8")
    return verified(space.cluster, stack, "-p", "stack", *more)


def verified(cluster: Cluster, folder: Path, *more: str, kubeconfig: str | None = None) -> Told:
    code, out, err = run(folder, kubeconfig or cluster.kubeconfig, "verify", "all.yaml", "--server", "--format", "json", *more)
    return code, json.loads(out)["findings"] if out else [], err


def run(folder: Path, kubeconfig: str, *arguments: str) -> tuple[int, str, str]:
    """`migrate` in this process: exit status, standard output, standard error."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(folder)
        patch.setenv("KUBECONFIG", kubeconfig)
        code = cli.main(arguments)
    assert "Traceback" not in err.getvalue()
    return code, out.buffer.getvalue().decode(), err.getvalue()  # type: ignore[attr-defined]


def pod(manifests: Mapping[tuple[str, str], Any], name: str) -> dict[str, Any]:
    workload = manifests.get(("Deployment", name)) or manifests[("StatefulSet", name)]
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def workload(manifests: Mapping[tuple[str, str], Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = manifests.get(("Deployment", name)) or manifests[("StatefulSet", name)]
    return found


def test_what_was_converted_is_not_refused(space: Space, stack: Path) -> None:
    code, findings, err = told(space, stack)
    assert (code, [f for f in findings if f["code"] in {"MIG930", "MIG932", "MIG960"}]) == (0, [])
    assert "objects judged by the API server v1." in err


@pytest.mark.parametrize(
    ("change", "field", "line"),
    [
        (lambda m: workload(m, "web")["spec"].update(replicas=-1), "spec.replicas", "replicas: 2"),
        (
            lambda m: pod(m, "web")["containers"][0]["ports"][1].update(containerPort=70000),
            "containers[0].ports[1].containerPort",
            "ports:",
        ),
        (lambda m: pod(m, "web")["containers"][0].update(image=""), "containers[0].image", "image: nginx:1.27"),
        (lambda m: pod(m, "web")["containers"][0].update(imagez="x"), "containers[0].imagez", "web:"),
        (lambda m: pod(m, "web")["containers"][0]["env"][0].update(value=True), "containers[0].env[0].value", "MODE: fast"),
        (
            lambda m: pod(m, "web")["containers"][0]["volumeMounts"][0].update(name="nothing"),
            "volumeMounts[0].name",
            "- data:/var/lib/data",
        ),
        (lambda m: workload(m, "web")["spec"]["selector"]["matchLabels"].update(other="x"), "spec.template.metadata.labels", "web:"),
        (lambda m: m["Service", "web"]["spec"]["ports"][0].update(port=0), "spec.ports[0].port", '- "8080:80"'),
        (lambda m: m["Service", "web"]["spec"]["ports"][0].update(targetPort="Not_A_Name"), "spec.ports[0].targetPort", '- "8080:80"'),
        (lambda m: pod(m, "db")["containers"][0].update(terminationMessagePolicy="Never"), "terminationMessagePolicy", "db:"),
        (lambda m: pod(m, "db")["containers"][0].update(resources={"limits": {"memory": "much"}}), "", "db:"),
    ],
    ids=["replicas", "port", "image", "unknown", "type", "mount", "selector", "service-port", "target-port", "enum", "quantity"],
)
def test_a_wrong_manifest_is_told_with_its_field_and_its_line(space: Space, stack: Path, change: Change, field: str, line: str) -> None:
    code, findings, _ = told(space, stack, change)
    of_server = [f for f in findings if f["code"] == "MIG930" and f["file"] == "compose.yaml"]
    assert code == 1
    assert [f["line"] for f in of_server if (f["path"] or "").endswith(field)], findings
    assert LINES[line] in {f["line"] for f in of_server if (f["path"] or "").endswith(field)}


def test_every_fault_of_an_object_is_told_not_the_first(space: Space, stack: Path) -> None:
    def change(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
        container = pod(manifests, "web")["containers"][0]
        container.update(imagez="x", imagePullPolicy="Sometimes")
        container["env"][0]["value"] = 5
        container["ports"][0]["containerPort"] = 0
        workload(manifests, "web")["spec"].update(replicas=-2, nonsense={"a": 1})

    code, findings, _ = told(space, stack, change)
    found = {f["path"] for f in findings if f["code"] == "MIG930" and f["file"] == "compose.yaml"}
    inner = "spec.template.spec.containers[0]"
    assert code == 1
    assert found >= {
        f"{inner}.imagez",
        f"{inner}.imagePullPolicy",
        f"{inner}.env[0].value",
        f"{inner}.ports[0].containerPort",
        "spec.replicas",
        "spec.nonsense",
    }


def test_the_command_names_file_line_and_object(space: Space, stack: Path) -> None:
    told(space, stack, lambda m: workload(m, "web")["spec"].update(replicas=-1))
    environment = {**os.environ, "KUBECONFIG": space.cluster.kubeconfig, "PYTHONPATH": str(Path(migrate.__file__).parents[1])}
    command = [sys.executable, "-m", "migrate", "-p", "stack", "verify", "all.yaml", "--server"]
    done = subprocess.run(command, cwd=stack, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told_of = [line for line in done.stdout.splitlines() if "spec.replicas" in line]
    assert len(told_of) == 1, "one fault, one finding, whoever saw it"
    line = next(line for line in told_of if line.startswith(f"compose.yaml:{LINES['replicas: 2']}:"))
    assert "MIG930" in line and "Deployment web: spec.replicas: Invalid value: -1" in line


def test_without_a_compose_file_the_annotation_gives_the_line(space: Space, stack: Path) -> None:
    told(space, stack, lambda m: workload(m, "web")["spec"].update(replicas=-1))
    (stack / "compose.yaml").unlink()
    code, findings, err = verified(space.cluster, stack)
    assert code == 1, err
    of_server = [f for f in findings if f["path"] == "spec.replicas" and f["file"] == "compose.yaml"]
    assert {f["line"] for f in of_server} == {LINES["web:"]}


def test_no_secret_is_repeated(space: Space, stack: Path) -> None:
    def change(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
        for thing in of_kind(list(manifests.values()), "Secret"):
            for part in ("data", "stringData"):
                if part in thing:
                    thing["data"] = {"KEY": "hunter2-hunter2!", "bad key": "aHVudGVy"}
        pod(manifests, "db")["containers"][0]["args"] = [{"hunter2-hunter2": 1}]

    code, findings, err = told(space, stack, change)
    assert code == 1 and findings
    assert "hunter2" not in json.dumps(findings) + err


def test_a_namespace_that_is_not_there_yet_is_no_refusal(space: Space, stack: Path) -> None:
    code, findings, _ = told(space, stack, lambda m: workload(m, "web")["spec"].update(replicas=-1), namespace=f"{space.name}-to-come")
    assert code == 1
    refused = {(f["code"], f["path"]) for f in findings if f["file"] == "compose.yaml" and f["code"] == "MIG930"}
    assert refused == {("MIG930", "spec.replicas")}
    assert any(f["code"] == "MIG962" and f"{space.name}-to-come" in f["message"] for f in findings)
    assert space.cluster.ask("GET", f"/api/v1/namespaces/{space.name}-to-come").code == 404, "a dry run stores nothing"


def test_kinds_that_the_cluster_does_not_serve(space: Space, stack: Path) -> None:
    def change(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
        manifests["Middleware", "m"] = {
            "apiVersion": "traefik.io/v1alpha1",
            "kind": "Middleware",
            "metadata": {"name": "m", "namespace": space.name},
            "spec": {},
        }

    _, findings, _ = told(space, stack, change)
    assert any(f["code"] == "MIG932" and "Middleware" in f["message"] for f in findings)


def test_what_must_be_there_beforehand_is_looked_for(space: Space, stack: Path) -> None:
    def change(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
        workload(manifests, "web")["metadata"].setdefault("annotations", {})["compose-cutover/external"] = (
            "secret/tls,configmap/kube-root-ca.crt"
        )
        for claim in of_kind(list(manifests.values()), "PersistentVolumeClaim"):
            claim["spec"]["storageClassName"] = "fast"

    code, findings, _ = told(space, stack, change, "--external", "secret/other")
    absent = {f["message"] for f in findings if f["code"] == "MIG931" and "beforehand" in f["message"]}
    assert code == 1
    assert any("Secret 'tls'" in text for text in absent) and any("Secret 'other'" in text for text in absent)
    assert any("StorageClass 'fast'" in text for text in absent)
    assert not any("kube-root-ca.crt" in text for text in absent)


def test_pod_security_of_the_namespace_warns(space: Space, stack: Path) -> None:
    labels = {"pod-security.kubernetes.io/warn": "restricted", "pod-security.kubernetes.io/warn-version": "latest"}
    path = f"/api/v1/namespaces/{space.name}"
    space.cluster.ask("PATCH", path, {"metadata": {"labels": labels}}, media="application/merge-patch+json")
    code, findings, _ = told(space, stack)
    assert code == 0
    assert any(f["code"] == "MIG961" and "would violate PodSecurity" in f["message"] and f["file"] == "compose.yaml" for f in findings)


def test_fields_that_may_not_change_on_what_is_there(space: Space, stack: Path) -> None:
    conversion = migrate.convert(["compose.yaml"], directory=stack, namespace=space.name, project_name="stack")
    live.apply(space.cluster.server, conversion.manifests, force=True)
    code, findings, _ = told(space, stack, lambda m: workload(m, "web")["spec"]["selector"]["matchLabels"].update(tier="x"))
    assert code == 1
    assert any(f["path"] == "spec.selector" and "immutable" in f["message"] for f in findings if f["code"] == "MIG930")


def test_what_kubectl_apply_takes_is_not_refused(space: Space, stack: Path) -> None:
    """A variable given twice: a server-side apply cannot merge it, but the server takes the object, and warns."""

    def change(manifests: dict[tuple[str, str], dict[str, Any]]) -> None:
        pod(manifests, "web")["containers"][0]["env"] *= 2

    _, findings, _ = told(space, stack, change)
    of_server = [f for f in findings if f["file"] == "compose.yaml" and f["code"] in {"MIG930", "MIG961"}]
    assert {f["code"] for f in of_server} == {"MIG961"}
    assert [f["line"] for f in of_server if "hides previous definition" in f["message"]] == [LINES["MODE: fast"]]
    assert space.kubectl("apply", "-f", str(stack / "all.yaml")).code == 0
    _, findings, _ = told(space, stack, change)
    assert not [f for f in findings if f["file"] == "compose.yaml" and f["code"] == "MIG930"], "an object that is there is merged"


# ------------------------------------------------------------------ accounts


def account(space: Space, *rules: Mapping[str, list[str]]) -> str:
    """A kubeconfig of a service account with these rights in the namespace."""
    name = "limited"
    meta = {"name": name, "namespace": space.name}
    group = "rbac.authorization.k8s.io"
    space.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": list(rules)},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": space.name}],
        },
    )
    token = space.kubectl("create", "token", name).out.strip()
    own = yaml.safe_load(Path(space.cluster.kubeconfig).read_text(encoding="utf-8"))
    cluster = next(c for c in own["clusters"])
    text = yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": cluster["name"], "user": name, "namespace": space.name}}],
            "current-context": name,
        }
    )
    return space.file(text)


def test_objects_that_an_account_may_not_write_are_told_and_the_others_judged(space: Space, stack: Path) -> None:
    limited = account(space, {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["get", "create", "patch"]})
    told(space, stack, lambda m: workload(m, "web")["spec"].update(replicas=-1))
    code, findings, _ = verified(space.cluster, stack, "-p", "stack", kubeconfig=limited)
    lacking = [f for f in findings if f["code"] == "MIG960"]
    assert code == 1
    assert any(f["path"] == "spec.replicas" and f["file"] == "compose.yaml" for f in findings)
    assert any(f"create services in namespace {space.name}" in f["message"] for f in lacking)
    assert not any("Deployment" in f["message"].split(":")[0] for f in lacking)


def test_nothing_is_applied_where_a_right_is_missing(space: Space, stack: Path) -> None:
    limited = account(space, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "create", "patch"]})
    conversion = migrate.convert(["compose.yaml"], directory=stack, namespace=space.name, project_name="stack")
    with pytest.raises(live.ServerFault, match="this account may not"):
        live.apply(live.connect(limited), conversion.manifests)
    assert space.items("apps/v1/deployments") == []


def test_no_account_no_server(space: Space, stack: Path) -> None:
    told(space, stack)
    stranger = yaml.safe_load(Path(space.cluster.kubeconfig).read_text(encoding="utf-8"))
    stranger["users"][0]["user"] = {"token": "nobody"}
    code, findings, err = verified(space.cluster, stack, "-p", "stack", kubeconfig=space.file(yaml.safe_dump(stranger)))
    assert (code, findings) == (2, []) and "does not know this account" in err
    away = yaml.safe_load(Path(space.cluster.kubeconfig).read_text(encoding="utf-8"))
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    code, findings, err = verified(space.cluster, stack, "-p", "stack", kubeconfig=space.file(yaml.safe_dump(away)))
    assert (code, findings) == (2, []) and "does not answer" in err


def test_a_kubeconfig_that_trusts_blindly_is_taken_without_a_word(space: Space, stack: Path) -> None:
    told(space, stack)
    blind = yaml.safe_load(Path(space.cluster.kubeconfig).read_text(encoding="utf-8"))
    inner = blind["clusters"][0]["cluster"]
    inner.pop("certificate-authority", None)
    inner.pop("certificate-authority-data", None)
    inner["insecure-skip-tls-verify"] = True
    code, _, err = verified(space.cluster, stack, "-p", "stack", kubeconfig=space.file(yaml.safe_dump(blind)))
    assert code == 0 and "Warning" not in err
