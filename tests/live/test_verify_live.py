"""The table of refusals that `verify` is held to, asked of a real API server."""

from __future__ import annotations

import functools
from typing import Any

from migrate.verify.levels import ENFORCE, LEVELS
from tests.live.cluster import Cluster, Space, until
from tests.migrate.pod_levels import PODS
from tests.migrate.refused_objects import CHANGES, OBJECTS, called, changed


def takes(cluster: Cluster, space: Space, manifest: dict[str, Any]) -> bool:
    """Whether the server would create the object."""
    thing = {**manifest, "metadata": {**manifest["metadata"], "namespace": space.name}}
    folder = cluster.server.path(thing).rpartition("/")[0]
    return cluster.ask("POST", f"{folder}?dryRun=All&fieldValidation=Strict", thing).accepted


def test_the_server_takes_the_sound_objects(cluster: Cluster, space: Space) -> None:
    assert [kind for kind, manifest in OBJECTS.items() if not takes(cluster, space, manifest)] == []


def test_the_server_answers_as_the_table_says(cluster: Cluster, space: Space) -> None:
    asked = {
        called(kind, place, value): (takes(cluster, space, changed(kind, place, value)), taken) for kind, place, value, taken in CHANGES
    }
    assert len(asked) > 200
    assert {name for name, (answer, taken) in asked.items() if answer is not taken} == set()


def has_account(cluster: Cluster, path: str) -> bool:
    return cluster.ask("GET", f"{path}/serviceaccounts/default").accepted


def test_the_server_admits_pods_as_the_table_of_levels_says(cluster: Cluster) -> None:
    admitted: dict[str, set[str]] = {name: set() for name, *_ in PODS}
    for level in LEVELS:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"level-{level}", "labels": {ENFORCE: level}}}
        cluster.ask("POST", "/api/v1/namespaces", body)
        path = f"/api/v1/namespaces/level-{level}"
        until(functools.partial(has_account, cluster, path), "the service account")
        for name, manifest, _ in PODS:
            answer = cluster.ask("POST", f"{path}/pods?dryRun=All", manifest)
            assert answer.accepted or "violates PodSecurity" in answer.body["message"], answer.body
            if answer.accepted:
                admitted[name].add(level)
        cluster.ask("DELETE", path)
    assert {name: min(found, key=LEVELS.index) for name, found in admitted.items()} == {name: level for name, _, level in PODS}
