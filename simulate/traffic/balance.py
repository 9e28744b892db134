"""Which endpoint an attempt goes to (model.md 4): candidates, policies, kept-alive connections, ejection, list changes."""

from __future__ import annotations

import math

from simulate.spec import Edge
from simulate.traffic import cpu, draws
from simulate.traffic.state import DEPENDENCY, EJECTING, OK, Attempt, CallState, Connection, EdgeState, Path, Pod, Proxy


def proxy_of(call: CallState) -> Proxy:
    """Of several proxies a source's call draws one; a pod's calls use the one of its number in its service."""
    proxies = call.edge.proxies
    if len(proxies) == 1:
        return proxies[0]
    if call.job is not None:
        return proxies[call.job.pod.number % len(proxies)]
    return proxies[draws.index(draws.unit(call.key, draws.PROXY, 0), len(proxies))]


def aim(call: CallState, attempt: Attempt, now: float) -> None:
    """Give the attempt its proxy, connection and pod; `pod` stays None where the list is empty."""
    proxy = attempt.proxy = proxy_of(call)
    keepalive = call.edge.spec.keepalive
    if keepalive is None:
        attempt.pod = _choose(call, proxy, attempt.number, now)
        return
    per_user = keepalive.per_user and call.user is not None
    drawn = draws.index(draws.unit(call.key, draws.CONN, attempt.number), keepalive.connections)
    slot: Path = (1, call.user or 0) if per_user else (0, drawn)
    held = proxy.slots.get(slot)
    if held is not None and (
        held.epoch != held.pod.epoch or held.pod.closing or (keepalive.max_age_s is not None and now - held.opened_s >= keepalive.max_age_s)
    ):
        del proxy.slots[slot]
        held = None
    attempt.established = held is not None
    if held is None:
        pod = _choose(call, proxy, attempt.number, now)
        if pod is None:
            return
        held = proxy.slots[slot] = Connection(pod, pod.epoch, now, slot)
    held.sent += 1
    if keepalive.max_requests is not None and held.sent >= keepalive.max_requests:
        del proxy.slots[slot]
    attempt.connection, attempt.pod = held, held.pod


def _choose(call: CallState, proxy: Proxy, number: int, now: float) -> Pod | None:
    pods = proxy.pods
    if not pods:
        return None
    edge = call.edge.spec
    if proxy.ejected_until:
        pods = [pod for pod in pods if now >= proxy.ejected_until.get(pod, -math.inf)] or pods
    if call.tried and edge.retry.avoid_tried:
        pods = [pod for pod in pods if pod not in call.tried] or pods
    return _POLICIES[edge.policy](call, proxy, pods, number, now)


def _load(edge: Edge, proxy: Proxy, pod: Pod) -> int:
    return pod.inside if edge.view == "pod" else proxy.load.get(pod, 0)


def _random(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    return pods[draws.index(draws.unit(call.key, draws.PICK, 4 * number), len(pods))]


def _round_robin(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    position = proxy.turn if proxy.turn < len(proxy.pods) else 0
    while proxy.pods[position] not in pods:
        position = (position + 1) % len(proxy.pods)
    proxy.turn = position + 1
    return proxy.pods[position]


def _least_request(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    edge, n = call.edge.spec, len(pods)
    first = draws.index(draws.unit(call.key, draws.PICK, 4 * number), n)
    return min((pods[(first + i) % n] for i in range(n)), key=lambda pod: _load(edge, proxy, pod))


def _pair(call: CallState, pods: list[Pod], number: int) -> tuple[Pod, Pod]:
    n = len(pods)
    i = draws.index(draws.unit(call.key, draws.PICK, 4 * number), n)
    if n == 1:
        return pods[i], pods[i]
    j = draws.index(draws.unit(call.key, draws.PICK, 4 * number + 1), n - 1)
    return pods[i], pods[j + 1 if j >= i else j]


def _p2c(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    one, other = _pair(call, pods, number)
    return other if _load(call.edge.spec, proxy, other) < _load(call.edge.spec, proxy, one) else one


def _hash(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    if call.user is not None:
        client = call.user
    elif call.job is not None:
        client = call.job.pod.number
    else:
        client = draws.index(draws.unit(call.key, draws.CLIENT, 0), call.edge.spec.clients)
    return max(pods, key=lambda pod: draws.affinity(client, pod.name_hash))


def _ewma(call: CallState, proxy: Proxy, pods: list[Pod], number: int, now: float) -> Pod:
    def decayed(pod: Pod) -> float:
        value, last = proxy.average[pod]
        return value * math.exp(-(now - last) / call.edge.spec.ewma_decay_s)

    one, other = _pair(call, pods, number)
    return other if decayed(other) < decayed(one) else one


_POLICIES = {
    "random": _random,
    "round_robin": _round_robin,
    "least_request": _least_request,
    "p2c": _p2c,
    "hash": _hash,
    "ewma": _ewma,
}


def learn(edge: EdgeState, attempt: Attempt, outcome: str, now: float) -> None:
    """What a proxy takes from the end of an attempt for the caller: load, averages, failures, the end of its connection."""
    proxy, pod = attempt.proxy, attempt.pod
    if proxy is None or pod is None:
        return
    proxy.load[pod] -= 1
    held = attempt.connection
    if held is not None and outcome not in (OK, DEPENDENCY) and proxy.slots.get(held.slot) is held:
        del proxy.slots[held.slot]
    if outcome == OK and edge.spec.policy == "ewma" and pod in proxy.average:
        value, last = proxy.average[pod]
        weight = math.exp(-(now - last) / edge.spec.ewma_decay_s)
        proxy.average[pod] = (value * weight + (now - attempt.start_s) * (1.0 - weight), now)
    ejection = edge.spec.ejection
    if ejection is None:
        return
    if outcome in EJECTING:
        fails = proxy.fails.get(pod, 0) + 1
        if fails >= ejection.max_fails:
            fails, proxy.ejected_until[pod] = 0, now + ejection.fail_timeout_s
        proxy.fails[pod] = fails
    elif outcome in (OK, DEPENDENCY):
        proxy.fails[pod] = 0


def add(proxy: Proxy, pod: Pod, now: float) -> None:
    """Append to the list; nothing if the pod is in it."""
    if pod in proxy.pods:
        return
    values = [proxy.average[other][0] for other in proxy.pods]
    proxy.average[pod] = (cpu.added(values) / len(values) if values else 0.0, now)
    proxy.pods.append(pod)


def remove(proxy: Proxy, pod: Pod) -> None:
    """Take from the list; the turn of round robin stays with its next element."""
    if pod not in proxy.pods:
        return
    position = proxy.pods.index(pod)
    del proxy.pods[position]
    if position < proxy.turn:
        proxy.turn -= 1
