"""What the StatefulSet controller decides in one look (kubernetes-semantics.md 5.1). Pure; pods are given by ordinal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from simulate.control.rollout import scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class StsSpec:
    """The spec and the two revisions (any text or number; equal = no update under way).

    `max_unavailable` None = one at a time (the field is dropped while its gate is off, as by default up to 1.36).
    `available_counts`: healthy needs availability (since 1.34).
    """

    replicas: int
    current_revision: str | int
    update_revision: str | int
    management: Literal["OrderedReady", "Parallel"] = "OrderedReady"
    strategy: Literal["RollingUpdate", "OnDelete"] = "RollingUpdate"
    partition: int = 0
    max_unavailable: int | str | None = None
    available_counts: bool = True
    start: int = 0

    @property
    def monotonic(self) -> bool:
        """One after the other."""
        return self.management == "OrderedReady"


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPod:
    """A pod object of the set; `available`: ready for minReadySeconds."""

    revision: str | int
    phase: str = "Running"
    ready: bool = True
    available: bool = True
    terminating: bool = False

    @property
    def running_and_ready(self) -> bool:
        """Running with Ready True, whether or not it is being deleted."""
        return self.phase == "Running" and self.ready


@dataclass(frozen=True, slots=True, kw_only=True)
class StsDecision:
    """Ordinals to create, with their revision, and to delete, in the order of the writes."""

    creates: tuple[tuple[int, str | int], ...] = ()
    deletes: tuple[int, ...] = ()


def healthy(spec: StsSpec, pod: StsPod | None) -> bool:
    """Running, Ready, not terminating and (since 1.34) available; a pod that does not exist is not."""
    return pod is not None and not pod.terminating and pod.running_and_ready and (pod.available or not spec.available_counts)


def revision_for(spec: StsSpec, ordinal: int) -> str | int:
    """The revision at which a missing pod is created: below the partition the current one."""
    if spec.strategy == "RollingUpdate" and ordinal < spec.start + spec.partition:
        return spec.current_revision
    return spec.update_revision


def decide(spec: StsSpec, pods: Mapping[int, StsPod]) -> StsDecision:
    """One look: first the ordinals upward, then those too many downward, then the update; each step may end the look.

    >>> decide(StsSpec(replicas=3, current_revision=1, update_revision=1), {0: StsPod(revision=1)})
    StsDecision(creates=((1, 1),), deletes=())
    """
    wanted = range(spec.start, spec.start + spec.replicas)
    creates: list[tuple[int, str | int]] = []
    deletes: list[int] = []
    for ordinal in wanted:
        pod = pods.get(ordinal)
        if pod is None:
            creates.append((ordinal, revision_for(spec, ordinal)))
        elif pod.phase in ("Failed", "Succeeded") and not pod.terminating:
            deletes.append(ordinal)
        if spec.monotonic and not _passes(pod):
            return StsDecision(creates=tuple(creates), deletes=tuple(deletes))
    ended = _scale_down(spec, pods, wanted, deletes)
    if not ended:
        deletes += update_pass(spec, {ordinal: pods.get(ordinal) for ordinal in wanted}, frozenset(deletes))
    return StsDecision(creates=tuple(creates), deletes=tuple(deletes))


def _passes(pod: StsPod | None) -> bool:
    """Whether the ordered walk goes past this pod."""
    return pod is not None and not pod.terminating and pod.running_and_ready and pod.available


def _scale_down(spec: StsSpec, pods: Mapping[int, StsPod], wanted: range, deletes: list[int]) -> bool:
    """Delete what is too many; whether the look ends here."""
    condemned = sorted((ordinal for ordinal in pods if ordinal not in wanted), reverse=True)
    first = next((o for o in (*wanted, *reversed(condemned)) if not healthy(spec, pods.get(o))), None)
    for ordinal in condemned:
        if pods[ordinal].terminating:
            if spec.monotonic:
                return True
            continue
        if spec.monotonic and not (pods[ordinal].running_and_ready and pods[ordinal].available) and ordinal != first:
            return True
        deletes.append(ordinal)
        if spec.monotonic:
            return True
    return False


def update_pass(spec: StsSpec, replicas: Mapping[int, StsPod | None], leaving: frozenset[int] = frozenset()) -> list[int]:
    """Ordinals that the rolling update deletes now; `leaving` are deleted by this look already."""
    if spec.strategy == "OnDelete":
        return []
    downward = sorted(replicas, reverse=True)
    lowest = spec.start + spec.partition

    def stale(ordinal: int) -> bool:
        pod = replicas[ordinal]
        return pod is not None and not pod.terminating and ordinal not in leaving and pod.revision != spec.update_revision

    if spec.max_unavailable is not None:
        most = max(1, scaled(spec.max_unavailable, spec.replicas, up=False))
        room = most - sum(not healthy(spec, pod) for pod in replicas.values())
        return [ordinal for ordinal in downward if ordinal >= lowest and stale(ordinal)][: max(0, room)]
    for ordinal in downward:
        if ordinal < lowest:
            break
        if stale(ordinal):
            return [ordinal]
        if not healthy(spec, replicas[ordinal]):
            break
    return []


def updated(spec: StsSpec, pods: Sequence[StsPod]) -> bool:
    """Whether the update is complete, so that the current revision becomes the update revision."""
    done = [pod for pod in pods if pod.revision == spec.update_revision and pod.running_and_ready and not pod.terminating]
    return spec.strategy == "RollingUpdate" and len(done) == spec.replicas == len(pods)
