"""What the Deployment controller decides: sizes, status, conditions and history, as pure functions of what it sees.

Source of every rule: the specification "Kubernetes controller semantics", section 3 (numbers in the docstrings), read from Kubernetes
1.28 to 1.36 and compared with recordings of the running controller. Times are seconds of any clock that is used throughout.
Terminating pods appear nowhere here: they count neither as size nor as available (3.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

NO_DEADLINE_S = 2147483647
"""progressDeadlineSeconds of this value means the same as none (3.5)."""

RETRY_S = 0.005
"""A pass that failed is repeated after so long (3.1; the doubling of later attempts is left out)."""


@dataclass(frozen=True, kw_only=True)
class DeploymentView:
    """The part of a Deployment's spec that decides. A missing maxSurge or maxUnavailable counts as 0 here; the API has defaulted them.

    What follows from it alone is found once, however many looks see the same view.
    """

    replicas: int
    strategy: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    max_surge: int | str | None = "25%"
    max_unavailable: int | str | None = "25%"
    progress_deadline_s: int | None = 600
    revision_history_limit: int = 10
    paused: bool = False

    @cached_property
    def surge(self) -> int:
        """Pods that may exist above replicas; 0 for Recreate."""
        if self.strategy == "Recreate":
            return 0
        return resolve_fenceposts(self.max_surge, self.max_unavailable, self.replicas)[0]

    @cached_property
    def unavailable(self) -> int:
        """Pods that may be missing: 0 for Recreate and at size 0, never more than replicas."""
        if self.strategy == "Recreate" or self.replicas == 0:
            return 0
        return min(resolve_fenceposts(self.max_surge, self.max_unavailable, self.replicas)[1], self.replicas)

    @cached_property
    def has_deadline(self) -> bool:
        """Whether there is a Progressing condition at all."""
        return self.progress_deadline_s is not None and self.progress_deadline_s != NO_DEADLINE_S


class SetView(NamedTuple):
    """A ReplicaSet as the controller sees it: `spec` is the size asked for, the other numbers are its status.

    `order` sorts by creation (time, then name where that is equal); `desired` and `maximum` are the two replica annotations.
    """

    name: str
    spec: int
    replicas: int = 0
    ready: int = 0
    available: int = 0
    terminating: int | None = 0
    order: tuple[float, str] = (0.0, "")
    desired: int | None = None
    maximum: int | None = None
    revision: int = 0
    deleting: bool = False
    observed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of a status; both times None when it never was stored."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    update_s: float | None = None
    transition_s: float | None = None


class Status(NamedTuple):
    """Status of a Deployment. `observed` tells whether it is about the present generation."""

    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    unavailable: int = 0
    terminating: int | None = 0
    observed: bool = True
    progressing: Condition | None = None
    availability: Condition | None = None


class Resize(NamedTuple):
    """One write of a ReplicaSet: its size (which may stay) and, always, both annotations."""

    name: str
    before: int
    size: int
    desired: int
    maximum: int


class Pass(NamedTuple):
    """One sync of the controller: what it writes, in this order.

    `create` is the first size of a new ReplicaSet (None: none is created), `revision` the number that the new set gets (None: keeps),
    `noted` the status stored in the middle of the pass (a new set's condition, a pause), `status` the one at its end. `rests`: before the
    deadline, a look that sees the same sets and this status decides what `at_rest` says.
    """

    create: int | None
    revision: int | None
    resizes: tuple[Resize, ...]
    delete: tuple[str, ...]
    noted: tuple[Status, ...]
    status: Status
    look_again_s: float | None
    rests: bool = False


# ------------------------------------------------------------------ bounds (3.2)


def scaled(value: int | str | None, total: int, *, up: bool) -> int:
    """An integer as it is, a percentage of `total` rounded up or down.

    >>> scaled("25%", 3, up=True), scaled("25%", 3, up=False), scaled(2, 3, up=True)
    (1, 0, 2)

    Raises ValueError for text that is no percentage.
    """
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    number = value.removesuffix("%")
    if number == value or not number.lstrip("-").isdigit():
        raise ValueError(f"{value!r} is neither an integer nor a percentage")
    exact = int(number) * total
    return -(-exact // 100) if up else math.floor(exact / 100)


def resolve_fenceposts(max_surge: int | str | None, max_unavailable: int | str | None, replicas: int) -> tuple[int, int]:
    """(surge, unavailable): surge rounded up, unavailable down, and not both 0.

    >>> resolve_fenceposts("25%", "25%", 1), resolve_fenceposts("25%", "25%", 10), resolve_fenceposts(0, "5%", 10)
    ((1, 0), (3, 2), (0, 1))
    """
    surge = scaled(max_surge, replicas, up=True)
    unavailable = scaled(max_unavailable, replicas, up=False)
    return surge, 1 if surge == 0 and unavailable == 0 else unavailable


def min_available(deployment: DeploymentView) -> int:
    """Pods that must stay available; 0 for Recreate."""
    return 0 if deployment.strategy == "Recreate" else deployment.replicas - deployment.unavailable


# ------------------------------------------------------------------ rolling update (3.4)


def new_size(deployment: DeploymentView, total: int, new: int) -> int:
    """Size of the new ReplicaSet by the growing rule alone: `total` is the size of all sets, this one included."""
    if deployment.strategy == "Recreate":
        return deployment.replicas
    room = deployment.replicas + deployment.surge - total
    return new if room <= 0 else new + min(room, deployment.replicas - new)


def reconciled_new(deployment: DeploymentView, total: int, new: int) -> int:
    """3.4 step 2: too large is cut to replicas, too small grows by `new_size`."""
    return deployment.replicas if new >= deployment.replicas else new_size(deployment, total, new)


def active(sets: Iterable[SetView]) -> list[SetView]:
    """Sets with a size above 0."""
    return [one for one in sets if one.spec > 0]


def oldest_first(sets: Sequence[SetView]) -> Sequence[SetView]:
    """In the order of their creation."""
    return sorted(sets, key=lambda one: one.order) if len(sets) > 1 else sets


class StaleError(Exception):
    """A set reports more available replicas than it is to have: its status is older than its size, and the pass is given up (3.4)."""


def cleanup_unhealthy(old: Sequence[SetView], room: int) -> dict[str, int]:
    """3.4 step 3a: new sizes after at most `room` unavailable replicas were taken, oldest set first. StaleError: see there."""
    sizes: dict[str, int] = {}
    for one in oldest_first(old):
        if room > 0 and 0 < one.spec < one.available:
            raise StaleError(one.name)
        removed = min(room, one.spec - one.available)
        if removed > 0 and one.spec > 0:
            sizes[one.name] = one.spec - removed
            room -= removed
    return sizes


def scale_down_old(deployment: DeploymentView, old: Sequence[SetView], available: int) -> dict[str, int]:
    """3.4 step 3b: new sizes after `available - min_available` replicas in total were taken, oldest set first.

    `available` is of all sets, the new one too. Bounded by what is available, not by the room of step a.
    """
    count = available - (deployment.replicas - deployment.unavailable)
    sizes = {}
    for one in oldest_first(old):
        removed = min(one.spec, count)
        if removed > 0:
            sizes[one.name] = one.spec - removed
            count -= removed
    return sizes


def reconcile_old(deployment: DeploymentView, old: Sequence[SetView], new: SetView) -> list[tuple[str, int, int]]:
    """3.4 step 3: (set, size before, size after) of every write, unhealthy replicas first. Unavailable new pods hold old ones back."""
    old = active(old)
    if not old:
        return []
    least = deployment.replicas - deployment.unavailable
    room = spec_total(old) + new.available - least
    if room <= 0:
        return []
    cleaned = cleanup_unhealthy(old, room)
    rest = [one._replace(spec=cleaned.get(one.name, one.spec)) for one in old] if cleaned else old
    shrunk = scale_down_old(deployment, rest, sum([one.available for one in old]) + new.available)
    writes = [(one.name, one.spec, cleaned[one.name]) for one in oldest_first(old) if one.name in cleaned]
    return writes + [(one.name, one.spec, shrunk[one.name]) for one in oldest_first(rest) if one.name in shrunk]


# ------------------------------------------------------------------ sizing (3.6)


def annotations_need_update(one: SetView, desired: int, maximum: int) -> bool:
    """Whether the two replica annotations of a set are not these."""
    return one.desired != desired or one.maximum != maximum


def is_scaling_event(deployment: DeploymentView, sets: Iterable[SetView]) -> bool:
    """3.3: some active set was sized for another number of replicas."""
    wanted = deployment.replicas
    return bool([one for one in sets if one.desired != wanted and one.spec > 0 and one.desired is not None])


def rounded(value: float) -> int:
    """Half away from zero.

    >>> rounded(2.5), rounded(-2.5), rounded(2.49)
    (3, -3, 2)
    """
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def fraction(deployment: DeploymentView, one: SetView, status_replicas: int) -> int:
    """3.6 step 3: what one set gains (or loses) before bounding; without a maximum annotation the status stands in."""
    if deployment.replicas == 0:
        return -one.spec
    before = one.maximum or status_replicas
    if before == 0:
        return 0
    return rounded(one.spec * (deployment.replicas + deployment.surge) / before) - one.spec


def proportional(deployment: DeploymentView, sets: Sequence[SetView], status_replicas: int) -> dict[str, int]:
    """3.6 step 3: the size of every active set, biggest first in the mapping; what is left over goes to that one."""
    allowed = deployment.replicas + deployment.surge if deployment.replicas > 0 else 0
    delta = allowed - sum(one.spec for one in sets)
    ordered = sorted(sets, key=lambda s: s.order, reverse=delta > 0)
    ordered.sort(key=lambda s: -s.spec)
    sizes: dict[str, int] = {}
    given = 0
    for one in ordered:
        part = fraction(deployment, one, status_replicas) if delta != given else 0
        part = min(part, delta - given) if delta > 0 else max(part, delta - given)
        sizes[one.name] = one.spec + (part if delta else 0)
        given += part if delta else 0
    if ordered and delta:
        first = ordered[0].name
        sizes[first] = max(0, sizes[first] + delta - given)
    return sizes


def sizing(deployment: DeploymentView, sets: Sequence[SetView], new: str | None, status_replicas: int) -> list[Resize]:
    """3.6, for a scaling event and while paused. `sets` are all, `new` names the new one if it exists."""
    running = active(sets)
    target = _only_or_latest(sets, running, new)
    if target is not None:
        return [] if target.spec == deployment.replicas else [_resize(deployment, target, deployment.replicas)]
    current = next((one for one in sets if one.name == new), None)
    if current is not None and current.spec == current.desired == current.available == deployment.replicas:
        return [_resize(deployment, one, 0) for one in running if one.name != new]
    if deployment.strategy == "Recreate":
        return []
    by_name = {one.name: one for one in running}
    sizes = proportional(deployment, running, status_replicas)
    writes = [_resize(deployment, by_name[name], size) for name, size in sizes.items()]
    return [w for w in writes if w.size != w.before or annotations_need_update(by_name[w.name], w.desired, w.maximum)]


def _only_or_latest(sets: Sequence[SetView], running: Sequence[SetView], new: str | None) -> SetView | None:
    if len(running) > 1 or not sets:
        return None
    if running:
        return running[0]
    current = [one for one in sets if one.name == new]
    return current[0] if current else max(sets, key=lambda s: s.order)


def _resize(deployment: DeploymentView, one: SetView, size: int) -> Resize:
    maximum = deployment.replicas + deployment.surge
    return Resize(name=one.name, before=one.spec, size=size, desired=deployment.replicas, maximum=maximum)


# ------------------------------------------------------------------ status and conditions (3.5)


def spec_total(sets: Iterable[SetView]) -> int:
    """Sum of the sizes asked for."""
    return sum([one.spec for one in sets])


def terminating_total(sets: Iterable[SetView]) -> int | None:
    """Sum of the terminating pods; None when a set that was observed does not report them."""
    total = 0
    for one in sets:
        if one.terminating is not None:
            total += one.terminating
        elif one.observed:
            return None
    return total


def complete(deployment: DeploymentView, status: Status) -> bool:
    """Every wanted pod is updated and available, no other exists, and the status is about this generation."""
    wanted = deployment.replicas
    return status.updated == wanted and status.replicas == wanted and status.available == wanted and status.observed


def progressed(before: Status, after: Status) -> bool:
    """More updated, ready or available pods, or fewer old ones."""
    return (
        after.updated > before.updated
        or after.replicas - after.updated < before.replicas - before.updated
        or after.ready > before.ready
        or after.available > before.available
    )


def timed_out(deployment: DeploymentView, condition: Condition | None, now_s: float) -> bool:
    """The deadline has passed since the condition's last update; a completed rollout never times out, a timed out one stays so."""
    if not deployment.has_deadline or condition is None or condition.reason == "NewReplicaSetAvailable":
        return False
    if condition.reason == "ProgressDeadlineExceeded":
        return True
    return condition.update_s is None or condition.update_s + float(deployment.progress_deadline_s or 0) < now_s


def requeue_s(deployment: DeploymentView, stored: Condition | None, status: Status, now_s: float) -> float | None:
    """Seconds to the deadline of an unfinished rollout (0 when less than one is left), None when nothing is to be awaited.

    The controller looks again one second after that.
    """
    if not deployment.has_deadline or stored is None or complete(deployment, status) or stored.reason == "ProgressDeadlineExceeded":
        return None
    left = (stored.update_s if stored.update_s is not None else -math.inf) + float(deployment.progress_deadline_s or 0) - now_s
    return 0.0 if left < 1.0 else left


def with_condition(current: Condition | None, status: Literal["True", "False", "Unknown"], reason: str, stamp_s: float) -> Condition:
    """The condition after it was set: unchanged when status and reason are the same; its transition moves only with the status."""
    if current is not None and current.status == status and current.reason == reason:
        return current
    kept = current.transition_s if current is not None and current.status == status else stamp_s
    return Condition(status=status, reason=reason, update_s=stamp_s, transition_s=kept)


def counted(deployment: DeploymentView, sets: Sequence[SetView], new: str | None, before: Status, stamp_s: float) -> Status:
    """The status by counting, with the Available condition; Progressing is carried over."""
    replicas = updated = ready = available = specified = 0
    for one in sets:
        specified += one.spec
        replicas += one.replicas
        ready += one.ready
        available += one.available
        if one.name == new:
            updated += one.replicas
    if available >= deployment.replicas - deployment.unavailable:
        availability = with_condition(before.availability, "True", "MinimumReplicasAvailable", stamp_s)
    else:
        availability = with_condition(before.availability, "False", "MinimumReplicasUnavailable", stamp_s)
    missing = specified - available if specified > available else 0
    return Status(replicas, updated, ready, available, missing, terminating_total(sets), True, before.progressing, availability)


def skips_progress(before: Status, after: Status) -> bool:
    """The skip rule (3.5): once completed, progress is not judged until a new rollout; time alone changes nothing then.

    The real controller goes on looking at such a Deployment every 5 ms while some pod is not ready; it writes nothing.
    """
    stored = before.progressing
    return stored is not None and stored.reason == "NewReplicaSetAvailable" and after.replicas == after.updated


def rollout_status(
    deployment: DeploymentView, sets: Sequence[SetView], new: str | None, before: Status, now_s: float, stamp_s: float | None = None
) -> Status:
    """The status at the end of a rollout pass, with progress judged (3.5, with the skip rule). `stamp_s` is what the API stores for now."""
    stamp = now_s if stamp_s is None else stamp_s
    after = counted(deployment, sets, new, before, stamp)
    stored = before.progressing
    if not deployment.has_deadline:
        return after._replace(progressing=None)
    if skips_progress(before, after):
        return after
    if complete(deployment, after):
        return after._replace(progressing=with_condition(stored, "True", "NewReplicaSetAvailable", stamp))
    if progressed(before, after):
        moved = stored is None or stored.status != "True"
        fresh = Condition(status="True", reason="ReplicaSetUpdated", update_s=stamp, transition_s=stamp)
        return after._replace(progressing=fresh if moved or stored is None else replace(fresh, transition_s=stored.transition_s))
    if timed_out(deployment, stored, now_s):
        return after._replace(progressing=with_condition(stored, "False", "ProgressDeadlineExceeded", stamp))
    return after


def paused_status(deployment: DeploymentView, before: Status, stamp_s: float) -> Status:
    """3.5: the note of a pause or of its end; an exceeded deadline is not overwritten."""
    stored = before.progressing
    if not deployment.has_deadline or (stored is not None and stored.reason == "ProgressDeadlineExceeded"):
        return before
    noted = stored is not None and stored.reason == "DeploymentPaused"
    if deployment.paused == noted:
        return before
    reason = "DeploymentPaused" if deployment.paused else "DeploymentResumed"
    return before._replace(progressing=with_condition(stored, "Unknown", reason, stamp_s))


# ------------------------------------------------------------------ history, Recreate (3.7, 3.8)


def history_cleanup(old: Sequence[SetView], limit: int) -> list[str]:
    """Names of the old sets that the history limit removes, lowest revision first; one that is not empty uses up its place."""
    alive = [one for one in old if not one.deleting]
    excess = len(alive) - limit
    if limit == NO_DEADLINE_S or excess <= 0:
        return []
    ordered = sorted(alive, key=lambda s: (s.revision, s.order))
    return [one.name for one in ordered[:excess] if one.spec == 0 and one.replicas == 0 and one.observed]


def old_pods_running(old: Sequence[SetView], phases: Iterable[str]) -> bool:
    """3.8: Recreate waits while old sets report pods or an old pod object exists that has not ended; terminating ones count."""
    return any(one.replicas > 0 for one in old) or any(phase not in ("Failed", "Succeeded") for phase in phases)


def undo_revision(revisions: Mapping[str, int], current: str | None, wanted: int | None = None) -> str | None:
    """The set whose template an undo puts back: that of revision `wanted`, else the highest but the current one; None: there is none."""
    others = {name: number for name, number in revisions.items() if name != current}
    if wanted:
        return next((name for name, number in sorted(revisions.items()) if number == wanted), None)
    return max(others, key=lambda name: (others[name], name)) if others else None


# ------------------------------------------------------------------ one pass (3.3)


def one_pass(
    deployment: DeploymentView,
    sets: Sequence[SetView],
    new: str | None,
    before: Status,
    now_s: float,
    *,
    stamp_s: float | None = None,
    old_phases: Iterable[str] = (),
    created: str = "",
) -> Pass:
    """Everything that one sync decides: at most one kind of action. `sets` are all sets, `new` names the one with the present template.

    `old_phases` are the phases of the pods of other sets (Recreate), `created` the name that a new set would get.
    """
    stamp = now_s if stamp_s is None else stamp_s
    status = paused_status(deployment, before, stamp)
    if status is not before:
        rest = one_pass(deployment, sets, new, status, now_s, stamp_s=stamp, old_phases=old_phases, created=created)
        return _after_note(rest, status)
    noted: list[Status] = []
    if deployment.paused or is_scaling_event(deployment, sets):
        return _sizing_pass(deployment, sets, new, status, noted, stamp)
    old = [one for one in sets if one.name != new]
    if deployment.strategy == "Recreate":
        emptied = [_resize(deployment, one, 0) for one in active(old)]
        if emptied or old_pods_running(old, old_phases):
            after = _resized(sets, emptied)
            return _end(deployment, after, new, status, noted, now_s, stamp, resizes=emptied, revision=_revision(sets, new))
    create = None
    revision = _revision(sets, new)
    if new is None:
        create = new_size(deployment, spec_total(old), 0)
        revision = max((one.revision for one in old), default=0) + 1
        maximum = deployment.replicas + deployment.surge
        order = (math.inf, created)
        sets = [*sets, SetView(name=created, spec=create, order=order, desired=deployment.replicas, maximum=maximum, revision=revision)]
        new = created
        if deployment.has_deadline:
            status = status._replace(progressing=with_condition(status.progressing, "True", "NewReplicaSetCreated", stamp))
            noted.append(status)
    elif deployment.has_deadline and status.progressing is None and revision is None:
        status = status._replace(progressing=with_condition(None, "True", "FoundNewReplicaSet", stamp))
        noted.append(status)
    (current,) = [one for one in sets if one.name == new]
    try:
        resizes = _step(deployment, sets, old, current)
    except StaleError:
        return Pass(
            create=create, revision=revision, resizes=(), delete=(), noted=tuple(noted), status=status, look_again_s=RETRY_S
        )  # fmt: skip
    finished = not resizes and complete(deployment, status)
    deleted = tuple(history_cleanup(old, deployment.revision_history_limit)) if finished else ()
    return _end(
        deployment, _resized(sets, resizes) if resizes else sets, new, status, noted, now_s, stamp,
        resizes=resizes, create=create, revision=revision, delete=deleted,
    )  # fmt: skip


def _after_note(rest: Pass, status: Status) -> Pass:
    """A pass that has noted a pause or its end: its later status writes are refused as out of date, and it is repeated.

    What it has created or resized before the refusal stays; a creation is refused its note, and nothing follows it.
    """
    if rest.create is not None:
        rest = rest._replace(resizes=(), delete=())
    return rest._replace(noted=(status,), status=status, look_again_s=RETRY_S, rests=False)


def _step(deployment: DeploymentView, sets: Sequence[SetView], old: Sequence[SetView], current: SetView) -> list[Resize]:
    size = reconciled_new(deployment, spec_total(sets), current.spec)
    if size != current.spec:
        return [_resize(deployment, current, size)]
    if deployment.strategy == "Recreate":
        return []
    maximum = deployment.replicas + deployment.surge
    writes = reconcile_old(deployment, old, current)
    return [Resize(name=n, before=a, size=b, desired=deployment.replicas, maximum=maximum) for n, a, b in writes]


def _revision(sets: Sequence[SetView], new: str | None) -> int | None:
    """The number that an existing new set gets when it is put back; None when it is the highest already."""
    current, highest = None, 0
    for one in sets:
        if one.name == new:
            current = one.revision
        elif one.revision > highest:
            highest = one.revision
    return highest + 1 if current is not None and current <= highest else None


def _resized(sets: Sequence[SetView], resizes: Sequence[Resize]) -> Sequence[SetView]:
    sizes = {one.name: one for one in resizes}
    return [
        one._replace(spec=sizes[one.name].size, desired=sizes[one.name].desired, maximum=sizes[one.name].maximum)
        if one.name in sizes
        else one
        for one in sets
    ]


def _sizing_pass(
    deployment: DeploymentView, sets: Sequence[SetView], new: str | None, status: Status, noted: list[Status], stamp_s: float
) -> Pass:
    resizes = sizing(deployment, sets, new, status.replicas)
    old = [one for one in sets if one.name != new]
    deleted = tuple(history_cleanup(old, deployment.revision_history_limit)) if deployment.paused else ()
    after = counted(deployment, _resized(sets, resizes), new, status, stamp_s)
    revision = _revision(sets, new)
    return Pass(
        create=None, revision=revision, resizes=tuple(resizes), delete=deleted, noted=tuple(noted), status=after, look_again_s=None
    )  # fmt: skip


def _end(
    deployment: DeploymentView,
    sets: Sequence[SetView],
    new: str | None,
    status: Status,
    noted: list[Status],
    now_s: float,
    stamp_s: float,
    *,
    resizes: Sequence[Resize] = (),
    create: int | None = None,
    revision: int | None = None,
    delete: tuple[str, ...] = (),
) -> Pass:
    after = rollout_status(deployment, sets, new, status, now_s, stamp_s)
    look_again_s = again_s(deployment, after, now_s) if after == status else None
    acts = resizes or delete or noted or create is not None or revision is not None or deployment.strategy == "Recreate"
    return Pass(create, revision, tuple(resizes), delete, tuple(noted), after, look_again_s, not acts)


def at_rest(deployment: DeploymentView, status: Status, now_s: float) -> Pass:
    """A pass that writes nothing, because nothing is new since one that `rests`."""
    return Pass(None, None, (), (), (), status, again_s(deployment, status, now_s), rests=True)


def again_s(deployment: DeploymentView, status: Status, now_s: float) -> float | None:
    """In how many seconds a Deployment is looked at again of which nothing new is to be said (3.5); None: when something changes."""
    if skips_progress(status, status):
        return None
    left = requeue_s(deployment, status.progressing, status, now_s)
    return None if left is None else left + 1.0 if left >= 1.0 else RETRY_S
