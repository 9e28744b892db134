"""Every sample in every form on the real API server: refused nothing, applied, ready, the same again, updated, undone, scaled, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import migrate
from migrate import live
from tests.live.cluster import Space, of_kind, until
from tests.live.samples import CASES, FORMS, converted

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def written(space: Space, case: str, form: str) -> tuple[migrate.Conversion, Path]:
    conversion = converted(case, space.name)
    folder = space.folder / form
    conversion.write(folder, form=form)
    return conversion, folder


def rendered(space: Space, folder: Path, form: str) -> str:
    """A file with the objects of a form, as the form's own tool writes them."""
    if form == "plain":
        return str(folder)
    if form == "kustomize":
        done = space.kubectl("kustomize", str(folder / "overlays" / "production"))
    else:
        done = space.cluster.helm("template", "release", str(folder), "--namespace", space.name, "--set", "namespace.create=false")
    assert done.code == 0, done.err
    return space.file(done.out)


def install(space: Space, folder: Path, form: str) -> None:
    """As a user does it."""
    if form == "helm":
        done = space.cluster.helm(
            "install", "release", str(folder), "--namespace", space.name, "--set", "namespace.create=false", "--wait", "--timeout", "90s"
        )
    elif form == "kustomize":
        done = space.kubectl("apply", "-k", str(folder / "overlays" / "production"))
    else:
        done = space.kubectl("apply", "-f", str(folder))
    assert done.code == 0, done.err


def uninstall(space: Space, folder: Path, form: str) -> None:
    if form == "helm":
        done = space.cluster.helm("uninstall", "release", "--namespace", space.name, "--wait", "--timeout", "60s")
    else:
        source = ("-k", str(folder / "overlays" / "production")) if form == "kustomize" else ("-f", str(folder))
        done = space.kubectl("delete", *source, "--wait=false")
    assert done.code == 0, done.err


def await_ready(space: Space, manifests: Sequence[dict[str, Any]]) -> None:
    for workload in of_kind(manifests, *WORKLOADS):
        done = space.kubectl("rollout", "status", f"{workload['kind'].lower()}/{workload['metadata']['name']}", "--timeout=90s")
        assert done.code == 0, done.err
    until(lambda: all(one.ready for one in live.status(space.cluster.server, manifests)), "every object to be as it should be")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_the_sample_is_taken(space: Space, case: str, form: str) -> None:
    conversion, folder = written(space, case, form)
    dry = space.kubectl("apply", "--dry-run=server", "-f", rendered(space, folder, form))
    assert dry.code == 0, dry.err
    assert dry.out.count("(server dry run)") == len(conversion.manifests) - (1 if form == "helm" else 0)


@pytest.mark.played
@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_the_sample_runs_and_goes(space: Space, case: str, form: str) -> None:
    conversion, folder = written(space, case, form)
    install(space, folder, form)
    shown = list(yaml.safe_load_all(Path(rendered(space, folder, form)).read_text())) if form != "plain" else list(conversion.manifests)
    objects = [thing for thing in shown if thing["kind"] != "Namespace"]
    await_ready(space, objects)
    pods = [pod for pod in space.items("v1/pods") if "deletionTimestamp" not in pod["metadata"]]
    wanted = sum(w["spec"].get("replicas", 1) for w in of_kind(objects, "Deployment", "StatefulSet"))
    assert len([pod for pod in pods if pod["status"]["phase"] == "Running"]) >= wanted
    for kind, group in (("NetworkPolicy", "networking.k8s.io/v1/networkpolicies"), ("Ingress", "networking.k8s.io/v1/ingresses")):
        stored = {thing["metadata"]["name"] for thing in space.items(group)}
        assert stored == {thing["metadata"]["name"] for thing in of_kind(objects, kind)}
    uninstall(space, folder, form)
    until(lambda: not space.items("apps/v1/deployments") and not space.items("v1/pods"), "everything to be gone")


@pytest.mark.played
@pytest.mark.parametrize("case", CASES)
def test_services_lead_to_the_pods_that_are_ready(space: Space, case: str) -> None:
    """Every Service of a converted stack has the endpoints that its pods give: selectors and ports name something that runs."""
    conversion, folder = written(space, case, "plain")
    install(space, folder, "plain")
    objects = [thing for thing in conversion.manifests if thing["kind"] != "Namespace"]
    await_ready(space, objects)
    jobs = {job["metadata"]["name"] for job in of_kind(objects, "Job", "CronJob")}
    for service in of_kind(objects, "Service"):
        selector = service["spec"].get("selector")
        if not selector or selector.get("compose-cutover/pod") in jobs or selector.get("app.kubernetes.io/name") in jobs:
            continue
        name = service["metadata"]["name"]
        until(lambda called=name: addresses(space, called), f"endpoints of service {name}")


def addresses(space: Space, service: str) -> list[str]:
    slices = space.get("discovery.k8s.io/v1/endpointslices")["items"]
    mine = [one for one in slices if one["metadata"]["labels"].get("kubernetes.io/service-name") == service]
    ready = [endpoint for one in mine for endpoint in one["endpoints"] or () if endpoint["conditions"]["ready"]]
    return [address for endpoint in ready for address in endpoint["addresses"]]


@pytest.mark.played
def test_applied_twice_changes_nothing_and_a_change_is_shown_before(space: Space) -> None:
    server = space.cluster.server
    conversion = converted("shop", space.name)
    assert {done.outcome for done in live.apply(server, conversion.manifests, force=True)} == {"created", "changed"}
    await_ready(space, [thing for thing in conversion.manifests if thing["kind"] != "Namespace"])
    assert live.diff(server, conversion.manifests) == ""
    assert {done.outcome for done in live.apply(server, conversion.manifests)} == {"unchanged"}
    changed = yaml.safe_load(yaml.safe_dump(list(conversion.manifests)))
    for thing in of_kind(changed, "Deployment"):
        thing["spec"]["replicas"] = 2
    for thing in of_kind(changed, "Secret"):
        for part in ("data", "stringData"):
            if part in thing:
                thing[part] = dict.fromkeys(thing[part], "bmV3LXNlY3JldA==" if part == "data" else "new-secret")
    difference = live.diff(server, changed)
    assert "+  replicas: 2\n" in difference and "-  replicas: 1\n" in difference
    assert "*** (after)" in difference
    assert not any(value in difference for value in ("bmV3", "new-secret", "not-a-secret", "bm90LWEtc2VjcmV0"))
    assert live.diff(server, changed) == difference, "a difference changes nothing"


@pytest.mark.played
def test_updated_undone_scaled_and_deleted(space: Space) -> None:
    conversion = converted("shop", space.name)
    live.apply(space.cluster.server, conversion.manifests, force=True)
    objects = [thing for thing in conversion.manifests if thing["kind"] != "Namespace"]
    await_ready(space, objects)
    container = of_kind(objects, "Deployment")[0]
    called, inner = container["metadata"]["name"], container["spec"]["template"]["spec"]["containers"][0]["name"]
    image = container["spec"]["template"]["spec"]["containers"][0]["image"]
    for step, expected in (
        (("set", "image", f"deployment/{called}", f"{inner}=other:2"), "other:2"),
        (("rollout", "undo", f"deployment/{called}"), image),
    ):
        assert space.kubectl(*step).code == 0
        assert space.kubectl("rollout", "status", f"deployment/{called}", "--timeout=60s").code == 0
        running = space.get("apps/v1/deployments", called)["spec"]["template"]["spec"]["containers"][0]["image"]
        assert running == expected
    assert space.kubectl("scale", f"deployment/{called}", "--replicas=3").code == 0
    until(lambda: space.get("apps/v1/deployments", called)["status"].get("readyReplicas") == 3, "three replicas")
    mysql = of_kind(objects, "StatefulSet")[0]["metadata"]["name"]
    assert space.kubectl("rollout", "restart", f"statefulset/{mysql}").code == 0
    assert space.kubectl("rollout", "status", f"statefulset/{mysql}", "--timeout=60s").code == 0
    assert space.kubectl("delete", "deployments,statefulsets,jobs", "--all", "--timeout=60s").code == 0
    assert space.items("apps/v1/deployments") == space.items("apps/v1/statefulsets") == space.items("batch/v1/jobs") == []
