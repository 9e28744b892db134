"""The Pod Security level that a pod needs, and the namespace that will not have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import migrate
from benchmarks.convert import corpus_files
from migrate.verify import check, levels
from migrate.verify.references import gather
from tests.migrate.pod_levels import PODS, pod, read


@pytest.mark.parametrize(("manifest", "level"), [(manifest, level) for _, manifest, level in PODS], ids=[name for name, *_ in PODS])
def test_strictest_level_that_admits_a_pod(manifest: dict[str, Any], level: str) -> None:
    assert levels.level_of(read(manifest), "1.36") == level


@pytest.mark.parametrize(
    ("manifest", "version", "level"),
    [
        (pod(None, {"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "1"}]}), "1.28", "privileged"),
        (pod(None, {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}), "1.31", "privileged"),
        (pod(None, {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}), "1.32", "restricted"),
        (pod(container={"livenessProbe": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}), "1.33", "restricted"),
    ],
)
def test_what_a_level_admits_depends_on_the_version(manifest: dict[str, Any], version: str, level: str) -> None:
    assert levels.level_of(read(manifest), version) == level


def in_namespace(manifest: dict[str, Any], level: str) -> list[dict[str, Any]]:
    labels = {levels.ENFORCE: level}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n", "labels": labels}}
    return [space, {**manifest, "metadata": {**manifest["metadata"], "namespace": "n"}}]


def test_pods_that_their_namespace_refuses_are_an_error_with_all_reasons() -> None:
    (told,) = check(
        in_namespace(pod({"privileged": True, "allowPrivilegeEscalation": None}, hostNetwork=True), "baseline"), kubernetes_version="1.35"
    )
    assert told.code == "MIG930" and told.severity.value == "error"
    assert told.message.endswith("enforces Pod Security baseline, which refuses these pods: hostNetwork, privileged")
    assert check(in_namespace(pod(hostNetwork=True), "privileged"), kubernetes_version="1.35") == ()
    assert check([pod(hostNetwork=True)], kubernetes_version="1.35") == ()


def test_namespaces_of_corpus_stacks_enforce_exactly_what_their_pods_need(shared: Path) -> None:
    found = set()
    for file in corpus_files()[::3]:
        try:
            manifests = migrate.convert(file.name, directory=file.parent).manifests
        except migrate.Unusable:
            continue
        pods = gather(manifests).pods.values()
        needed = max((levels.level_of(p, "1.35") for p in pods), key=levels.LEVELS.index, default="restricted")
        (enforced,) = [m["metadata"]["labels"][levels.ENFORCE] for m in manifests if m["kind"] == "Namespace"]
        assert needed == enforced, file
        found.add(enforced)
    assert found >= {"baseline", "privileged"}
