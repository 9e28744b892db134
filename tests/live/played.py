"""A scenario in the form of the recorded traces (`input` with its steps), played on a real control plane; the facts that came of it.

What the steps and the pods' delays mean is written beside the recordings; `tests.oracle.traces*` play the same form on the simulator.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.live.cluster import MERGE, Space, until
from tests.live.recorder import Recorder, Write

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
DELAYS = {"ready_ms": "ready", "start_ms": "start", "termination_ms": "term", "age_s": "age"}
SETTLED_S = 1.3
FRACTION_S = 0.1
AFTER_S = 0.6


def template(version: str, pods: Mapping[str, str]) -> dict[str, Any]:
    """Pods of a version with all delays said, so that one patch replaces those of another."""
    asked = {key.removesuffix("_request"): value for key, value in pods.items() if key.endswith("_request")}
    container: dict[str, Any] = {"name": "c", "image": f"app:{version}"}
    if asked:
        container["resources"] = {"requests": asked}
    notes = {f"lab/{DELAYS[key]}": str(value) for key, value in pods.items() if key in DELAYS}
    return {"metadata": {"labels": {"app": "web"}, "annotations": notes}, "spec": {"containers": [container]}}


def workload(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The Deployment or StatefulSet `web` of an input."""
    spec: dict[str, Any] = {
        "replicas": given["replicas"],
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("v1", given["pods_v1"]),
        "minReadySeconds": given.get("min_ready_seconds", 0),
    }
    if kind == "Deployment":
        bounds = {"maxSurge": _bound(given["max_surge"]), "maxUnavailable": _bound(given["max_unavailable"])}
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": bounds}
    else:
        spec["serviceName"] = "web"
        spec["podManagementPolicy"] = given.get("pod_management", "OrderedReady")
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"partition": given.get("partition", 0)}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


def _bound(value: str) -> int | str:
    return value if value.endswith("%") else int(value)


class Play:
    """One scenario in a namespace of its own."""

    def __init__(self, space: Space, kind: str, given: Mapping[str, Any]) -> None:
        self.space, self.kind, self.given = space, kind, given
        self.pods: dict[str, Mapping[str, str]] = {"v1": given["pods_v1"]}
        self.path = f"/apis/apps/v1/namespaces/{space.name}/{PLURALS[kind]}"
        self.begin_s = 0.0
        self.writes: list[Write] = []

    def run(self, duration_s: float | None = None) -> dict[str, Any]:
        """Create, settle, play the steps; the trace without its facts. Ends when the rollout is complete, or after `duration_s`."""
        with Recorder(space=self.space) as recorder:
            self._ask("POST", self.path, workload(self.kind, self.given))
            until(self._complete, "the first version to be complete")
            time.sleep(SETTLED_S)
            time.sleep((FRACTION_S - time.time()) % 1.0)
            self.begin_s = time.time()
            begun = recorder.writes()
            self._begin()
            for step in self.given["steps"]:
                time.sleep(max(0.0, self.begin_s + step["at"] - time.time()))
                self._step(step)
            if duration_s is None:
                until(self._complete, "the rollout to be complete")
                time.sleep(AFTER_S)
            else:
                time.sleep(max(0.0, self.begin_s + duration_s - time.time()))
            until(lambda: self._stored() <= {write.version for write in recorder.writes()}, "the news of all that is stored")
            last_s = time.time() - self.begin_s
            known = {write.version for write in begun}
            self.before, self.writes = begun, [write for write in recorder.writes() if write.version not in known]
        return {
            "id": self.space.name, "input": self.given, "rows": [["end", last_s]], "t0_fraction": self.begin_s % 1.0, "other_runs": [],
        }  # fmt: skip

    def _begin(self) -> None:
        """Time 0."""

    def _ask(self, verb: str, path: str, body: Any, media: str = "application/json") -> None:
        answer = self.space.cluster.ask(verb, path, body, media=media)
        assert answer.accepted, answer.body

    def _stored(self) -> set[int]:
        """The versions of all objects as they are: a watch may be late with its news of them."""
        groups = (
            "apps/v1/deployments",
            "apps/v1/replicasets",
            "apps/v1/statefulsets",
            "v1/pods",
            "autoscaling/v2/horizontalpodautoscalers",
        )
        return {int(one["metadata"]["resourceVersion"]) for group in groups for one in self.space.items(group)}

    def _complete(self) -> bool:
        found = self.space.cluster.get(f"{self.path}/web")
        status, size = found.get("status", {}), found["spec"]["replicas"]
        partition = found["spec"].get("updateStrategy", {}).get("rollingUpdate", {}).get("partition", 0)
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        counts = [status.get(key, 0) for key in ("replicas", "readyReplicas", "availableReplicas")]
        pods = self.space.items("v1/pods")
        updated = status.get("updatedReplicas", 0) >= size - partition
        return current and counts == [size] * 3 and updated and len(pods) == size

    def _step(self, step: Mapping[str, Any]) -> None:
        if step["op"] == "image":
            self.pods[step["version"]] = step["pods"]
            body = {"spec": {"template": template(step["version"], step["pods"])}}
        elif step["op"] == "undo":
            body = {"spec": {"template": template("v1", self.pods["v1"])}}
        elif step["op"] == "scale":
            body = {"spec": {"replicas": step["replicas"]}}
        else:
            body = {"spec": {"paused": step["op"] == "pause"}}
        self._ask("PATCH", f"{self.path}/web", body, MERGE)


# ------------------------------------------------------------------ facts


def version_of(thing: Mapping[str, Any]) -> str:
    """`v1`, by the image of a template or of a pod."""
    spec = thing["spec"].get("template", thing)["spec"]
    return str(spec["containers"][0]["image"]).partition(":")[2]


def rollout_facts(play: Play) -> dict[str, Any]:
    """Sizes one after the other, conditions as stored, and the end."""
    known = {write.name: write.thing["spec"]["replicas"] for write in play.before if write.kind == "ReplicaSet"}
    names: dict[str, str] = {}
    sizes: list[list[Any]] = []
    progressing: list[str] = []
    final: dict[str, dict[str, Any]] = {}
    for write in [*(one for one in play.before if one.kind == "ReplicaSet"), *play.writes]:
        if write.kind == "ReplicaSet":
            names[write.name] = version_of(write.thing)
            size, status = write.thing["spec"]["replicas"], write.thing.get("status", {})
            notes = write.thing["metadata"]["annotations"]
            final[names[write.name]] = {
                "spec": size, "available": status.get("availableReplicas", 0), "revision": notes["deployment.kubernetes.io/revision"],
            }  # fmt: skip
            if write in play.writes and known.get(write.name) != size:
                sizes.append([names[write.name], known.get(write.name), size])
                known[write.name] = size
        elif write.kind == "Deployment":
            stored = {one["type"]: f"{one['status']}/{one['reason']}" for one in write.thing.get("status", {}).get("conditions", ())}
            if stored.get("Progressing") and progressing[-1:] != [stored["Progressing"]]:
                progressing.append(stored["Progressing"])
    return {"size_sequence": sizes, "progressing": progressing, "final": final}


def stateful_facts(play: Play) -> list[str]:
    """What happened to each pod, in order: `web-2/v1 terminating`."""
    seen: Counter[str] = Counter()
    identities: dict[str, str] = {}
    ready: dict[str, bool] = {}
    ending: set[str] = set()
    found: list[str] = []
    for write in [*play.before, *play.writes]:
        if write.kind != "Pod":
            continue
        uid, said = write.thing["metadata"]["uid"], list[str]()
        if uid not in identities:
            name = f"{write.name}/{version_of(write.thing)}"
            seen[name] += 1
            identities[uid] = name if seen[name] == 1 else f"{name}#{seen[name]}"
            said.append("created")
        conditions = {one["type"]: one["status"] for one in write.thing.get("status", {}).get("conditions", ())}
        if (conditions.get("Ready") == "True") != ready.get(uid, False) and write.what != "DELETED":
            ready[uid] = not ready.get(uid, False)
            said.append("ready" if ready[uid] else "unready")
        if write.thing["metadata"].get("deletionTimestamp") and uid not in ending:
            ending.add(uid)
            said.append("terminating")
        if write.what == "DELETED":
            said.append("deleted")
        if write in play.writes:
            found += [f"{identities[uid]} {state}" for state in said]
    return found


def stored(write: Write) -> dict[str, Any]:
    """An autoscaler's status in the form of the recordings."""
    status = write.thing.get("status", {})
    metrics = status.get("currentMetrics")
    shown = None
    if metrics:
        shown = []
        for one in metrics:
            said = one.get("resource") or {}
            values = {"utilization": said["current"].get("averageUtilization"), "average_value": said["current"].get("averageValue")}
            shown.append({"name": said["name"], "type": one["type"], **{key: value for key, value in values.items() if value is not None}})
    conditions = {one["type"]: f"{one['status']}/{one['reason']}" for one in status.get("conditions", ())}
    sizes = {"current": status.get("currentReplicas", 0), "desired": status.get("desiredReplicas", 0)}
    return {**sizes, "conditions": conditions, "metrics": shown}


def autoscaler_facts(play: Play) -> dict[str, Any]:
    """Each reconcile with everything that it read and the status that it left, and the wanted sizes without repetitions."""
    statuses = [
        (one.at - play.begin_s, stored(one)) for one in play.writes if one.kind == "HorizontalPodAutoscaler" and "status" in one.thing
    ]
    sizes = [(one.at - play.begin_s, one.thing["spec"]["replicas"]) for one in play.writes if one.kind == "Deployment"]
    answers = [one for one in play.space.answers() if one["at"] >= play.begin_s]
    ends = [one["at"] - play.begin_s for one in answers[1:]] + [float("inf")]
    entries, last = [], None
    for answer, end_s in zip(answers, ends, strict=True):
        t = answer["at"] - play.begin_s
        last = next((status for at, status in reversed(statuses) if t <= at < end_s), last)
        entries.append(
            {
                "t": t,
                "current": next((size for at, size in reversed(sizes) if at <= t), play.given["replicas"]),
                "observed": last["current"] if last else 0,
                "ready": sum(bool(pod["ready"]) for pod in answer["pods"]),
                "sample_age_s": 0,
                "window_s": 15,
                "pods": [_pod_row(pod, answer["at"]) for pod in answer["pods"]],
                "status": last,
            }
        )
    wanted: list[int] = []
    for _, status in statuses:
        if status["metrics"] is not None and wanted[-1:] != [status["desired"]]:
            wanted.append(status["desired"])
    rows = [["hpa", at, "web", status["current"], status["desired"], status["conditions"], status["metrics"]] for at, status in statuses]
    return {"reconciles": entries, "rows": rows, "wanted": wanted}


def _pod_row(pod: Mapping[str, Any], now_s: float) -> list[Any]:
    ages = [None if pod[key] is None else now_s - pod[key] for key in ("started_s", "ready_at_s")]
    return [f"v1-{pod['index']}", pod["phase"], pod["ready"], *ages, pod["terminating"], pod["cpu_milli"], pod["memory_mib"], None]


class AutoscaledPlay(Play):
    """A Deployment with an autoscaler that is created at time 0; its steps are loads."""

    def _begin(self) -> None:
        self.space.load(**self.given["load"])
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        body = {
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {**self.given["hpa_spec"], "scaleTargetRef": target},
        }  # fmt: skip
        self._ask("POST", f"/apis/autoscaling/v2/namespaces/{self.space.name}/horizontalpodautoscalers", body)

    def _step(self, step: Mapping[str, Any]) -> None:
        self.space.load(**step["load"])
