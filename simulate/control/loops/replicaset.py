"""The ReplicaSet controller: looks at one set and its pods, asks `replicaset.look` and `replicaset.victims`, creates or deletes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from simulate.control import replicaset
from simulate.control.draws import uniform
from simulate.control.loops.admission import LONGEST_RETRY_S, Retries
from simulate.control.loops.queue import WorkQueue, client
from simulate.control.replicaset import PodView
from simulate.control.state import Cluster, Pod, ReplicaSet

STAGGER_S = 0.0002
"""Requests of one batch are sent in parallel and arrive one after the other."""


class ReplicaSetLoop:
    """Woken by its sets and by their pods. Creates and deletes are limited by the API client's rate (4.1)."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watch_s = cluster.spec.control.watch_s
        self._queue = WorkQueue(cluster.clock, self.sync, cluster.leader)
        self._retries: Retries[ReplicaSet] = Retries()
        self._refused: dict[ReplicaSet, str] = {}
        self._blind: set[ReplicaSet] = set()
        self._client = client(cluster)
        cluster.on_set.append(lambda one: self._queue.add(one, self._watch_s))
        cluster.watch_pods(self._pod_changed, kinds=("Deployment",))

    def _there(self, one: ReplicaSet) -> bool:
        """Whether the object has not been deleted."""
        return self._cluster.workloads[one.workload].sets.get(one.name) is one

    def _pod_changed(self, pod: Pod, state: str) -> None:
        one = self._cluster.workloads[pod.workload].sets.get(pod.owner)
        if one is not None:
            self._cluster.clock.after(self._watch_s, self._seen, one, pod, state)

    def _seen(self, one: ReplicaSet, pod: Pod, state: str) -> None:
        if not self._there(one):
            return
        if state == "created":
            one.expectations.created()
        elif state in ("terminating", "deleted"):
            one.expectations.deleted(pod.name)
        self._queue.add(one, 0.0)

    def sync(self, one: ReplicaSet) -> float | None:
        """One look: issue creates or deletes, then write the status as it was seen before them."""
        if not self._there(one):
            return 0.0
        now, tally = self._cluster.clock.now, one.tally
        min_ready_s = self._cluster.workloads[one.workload].spec.min_ready_s
        waiting = replicaset.awaited([pod.ready_since_s for pod in tally.ready.values()], min_ready_s, now) if min_ready_s else ()
        look = replicaset.look(
            one.size,
            len(tally.active),
            len(tally.ready),
            len(tally.terminating),
            waiting=waiting,
            satisfied=one.expectations.satisfied(now),
        )
        if look.look_again_s is not None:
            self._queue.add(one, max(0.0, look.look_again_s - now))
        if one.failure and not one.expectations.satisfied(now):
            self._blind.add(one)
        seen = one.size, one.writes
        if look.create:
            one.expectations.expect(look.create, (), now)
            self._create(one, replicaset.batches(look.create), partial(self._finish, one, look, seen))
        elif look.delete:
            self._cluster.clock.after(self._delete(one, look.delete), self._finish, one, look, seen)
        else:
            self._finish(one, look, seen)
        return None

    def _finish(self, one: ReplicaSet, look: replicaset.Look, seen: tuple[int, int]) -> None:
        """After the last create or delete was answered: the status, where it says something new."""
        told = one.observed and (one.replicas, one.ready, one.available, one.terminating) == look.counts
        if told and bool(one.failure) == bool(self._failure(one)):
            self._done(one)
        else:
            self._client.request(self._status, one, look, seen)

    def _status(self, one: ReplicaSet, look: replicaset.Look, seen: tuple[int, int]) -> None:
        """Write what the look saw. Over an object that was written since then it is refused: read it and write again, once."""
        if one.writes != seen[1]:
            self._client.request(self._client.request, self._store, one, look, seen)
        else:
            self._store(one, look, seen)

    def _store(self, one: ReplicaSet, look: replicaset.Look, seen: tuple[int, int]) -> None:
        one.replicas, one.ready, one.available, one.terminating = look.counts
        one.observed = one.size == seen[0]
        self._note_failure(one, self._failure(one))
        self._cluster.status_set(one)
        self._done(one)

    def _failure(self, one: ReplicaSet) -> str:
        """What was refused in this look; a look that waits to see earlier creations changes nothing."""
        return self._refused.get(one, one.failure if one in self._blind else "")

    def _note_failure(self, one: ReplicaSet, refused: str) -> None:
        """The condition ReplicaFailure keeps its first message until a look creates all that it wants."""
        if bool(refused) != bool(one.failure):
            one.failure = refused
            kind = "Warning" if refused else "Normal"
            self._cluster.event("Condition", one.name, kind, "FailedCreate", f"ReplicaFailure={bool(refused)}")

    def _done(self, one: ReplicaSet) -> None:
        """A look at which a creation was refused is repeated after a wait that grows; nobody tells when a quota has room again."""
        refused, blind = self._refused.pop(one, None), one in self._blind
        self._blind.discard(one)
        self._queue.done(one)
        if refused is not None:
            self._queue.add(one, self._retries.failed(one))
        elif not blind:
            self._retries.succeeded(one)

    def _create(self, one: ReplicaSet, batches: Sequence[int], finish: Callable[[], None]) -> None:
        """Slow-start batches: the requests of one are sent at once, the next one follows their last answer."""
        lasting_s = 0.0
        for position in range(batches[0]):
            lasting_s = self._client.delay_s()
            number, one.next_number = one.next_number, one.next_number + 1
            self._cluster.clock.after(lasting_s + position * STAGGER_S, self._create_one, one, number)
        answered_s = lasting_s + (batches[0] * STAGGER_S if self._cluster.guarded(one.workload) else 0.0)
        self._cluster.clock.after(answered_s, self._go_on, one, batches[1:], finish)

    def _go_on(self, one: ReplicaSet, batches: Sequence[int], finish: Callable[[], None]) -> None:
        """The next batch, unless a creation of the one before was refused: then the rest is left out."""
        if batches and one not in self._refused:
            self._create(one, batches, finish)
            return
        for _ in range(sum(batches)):
            one.expectations.created()
        finish()

    def _create_one(self, one: ReplicaSet, number: int) -> None:
        pod = Pod(
            name=f"{one.name}-{number}",
            workload=one.workload,
            owner=one.name,
            version=one.version,
            number=number,
            created_s=self._cluster.stamp(),
        )
        refused = self._cluster.refusal(pod)
        if refused:
            self._refuse(one, refused)
            return
        self._cluster.add_pod(pod, one.pods)
        self._client.event(one.name)

    def _refuse(self, one: ReplicaSet, message: str) -> None:
        one.expectations.created()
        self._refused.setdefault(one, message)
        self._cluster.event("ReplicaSet", one.name, "Warning", "FailedCreate", f"Error creating: {message}")
        self._client.event(one.name)

    def settle_refused(self, one: ReplicaSet, message: str) -> None:
        """A set that lacks pods since long before the run: it tries again every 1000 s, from some time on."""
        self._note_failure(one, message)
        self._retries.long_since(one)
        self._queue.add(one, LONGEST_RETRY_S * uniform(self._cluster.spec.seed, "retry", one.name))

    def _delete(self, one: ReplicaSet, count: int) -> float:
        """Delete all at once; when the last request is answered, in seconds from now."""
        related = [pod for other in self._cluster.workloads[one.workload].sets.values() for pod in other.tally.active.values()]
        chosen = replicaset.victims(list(one.tally.active.values()), related, count, self._pod_view)
        one.expectations.expect(0, [pod.name for pod in chosen], self._cluster.clock.now)
        lasting_s = 0.0
        for pod in chosen:
            lasting_s = self._client.delay_s()
            self._cluster.clock.after(lasting_s, self._delete_one, one, pod)
        return lasting_s

    def _delete_one(self, one: ReplicaSet, pod: Pod) -> None:
        self._cluster.delete_pod(pod, f"scaled down {one.name}")
        self._client.event(one.name)

    def _pod_view(self, pod: Pod) -> PodView:
        now = self._cluster.clock.now
        since_s = pod.ready_since_s
        for_s = None if since_s is None else now - since_s
        return PodView(pod.name, pod.name, pod.node or "", pod.phase, pod.ready, pod.cost, 0, for_s, pod.restarts, now - pod.created_s)
