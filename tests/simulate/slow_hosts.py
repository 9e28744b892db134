"""The world before once more, written from docs/before-and-after.md alone: callbacks on a heap around the slow model.

No code of `simulate.control` is used.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any

from simulate.hosts import HostsSpec, Placement
from simulate.spec import Behaviour, Event
from tests.simulate.slow_model import SlowModel

Report = Callable[[bool], None]


class Container:
    """One container over all its runs; `run` counts them and their ends."""

    def __init__(self, name: str, placement: Placement, host: str, behaviour: Behaviour) -> None:
        self.name, self.placement, self.host, self.behaviour = name, placement, host, behaviour
        self.fails: str | None = None
        self.up = self.listening = True
        self.by_hand = False
        self.run, self.since, self.wait, self.count = 0, -86400.0, 0.0, 0
        self.when_gone: list[Callable[[], None]] = []
        self.when_started: Report | None = None


class SlowHosts:
    """`listened`: when each container began to listen after time 0; `ended`: when its process ended."""

    def __init__(self, spec: HostsSpec, bend: float = 0.0) -> None:
        self.spec, self.plane = spec, SlowModel(spec.traffic, bend)
        self.now, self.number = 0.0, 0
        self.todo: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.listened: list[tuple[float, str]] = []
        self.ended: list[tuple[float, str]] = []
        self.down_until = {pool.name: 0.0 for pool in spec.pools}
        self.wanted: dict[str, list[tuple[Behaviour, str | None]]] = {}
        self.present: dict[str, int] = {}
        self.turn: dict[str, int] = {}
        self.containers: dict[str, Container] = {}
        behaviours = {one.name: one for one in spec.traffic.behaviours}
        self.services = {one.name: one.behaviour for one in spec.workloads}
        self.limits = {one.name: one.template.containers[0] for one in spec.workloads}
        for placement in spec.placements:
            own = behaviours[self.services[placement.workload]]
            self.wanted[placement.workload], self.present[placement.workload] = [(own, None)], 0
            for i, host in enumerate(placement.hosts):
                one = Container(f"{placement.workload}-{i + 1}", placement, host, own)
                self.containers[one.name] = one
                self.start(one, -1.0, 0.0)
                if own.warm_time:
                    self.plane.set_pod(-1.0, one.name, speed=own.warm_time[-1][1])
        for one in self.containers.values():
            self.plane.route(-1.0, one.name)
        for event in spec.events:
            self.at(event.at_s, getattr(self, event.verb.lower()), event)

    def run(self) -> None:
        """Until the horizon."""
        while True:
            until = min(self.todo[0][0] if self.todo else math.inf, self.spec.horizon_s)
            hit = self.plane.advance(until)
            if hit is not None:
                self.now = hit.t_s
                one = self.containers[hit.pod]
                if hit.kind == "oom":
                    self.exit(one, one.run, 137)
                else:
                    {"booted": self.listens, "drained": self.gone}[hit.kind](one)
            elif not self.todo or self.todo[0][0] > self.spec.horizon_s:
                return
            else:
                self.now, _, action, arguments = heapq.heappop(self.todo)
                action(*arguments)

    def at(self, t: float, action: Callable[..., None], *arguments: Any) -> None:
        self.number += 1
        heapq.heappush(self.todo, (t, self.number, action, arguments))

    # ---------------------------------------------------------------- one container

    def start(self, one: Container, t: float, boot_cpu_s: float) -> None:
        limit, workload = self.limits[one.placement.workload], one.placement.workload
        speed = self.speed(one)
        self.plane.start(
            t, one.name, service=self.services[workload], node=one.host, quota_cores=limit.limit_cores, weight=one.placement.shares,
            speed=speed, boot_cpu_s=boot_cpu_s * speed, memory_limit_bytes=limit.limit_bytes,
        )  # fmt: skip

    def speed(self, one: Container) -> float:
        """A version whose bursts have another mean is a process of another speed: the same draws, longer or shorter."""
        usual, own = (b.program[0].cpu_s for b in (self.wanted[one.placement.workload][0][0], one.behaviour))
        assert usual is not None and own is not None
        return usual.mean / own.mean

    def begin(self, one: Container) -> None:
        one.run += 1
        one.up, one.by_hand, one.since = True, False, self.now
        if one.fails == "crash":
            self.at(self.now + 1.0, self.exit, one, one.run, 1)
        elif one.fails is None:
            self.at(self.now + one.behaviour.start_wait_s, self.boot, one, one.run)

    def boot(self, one: Container, run: int) -> None:
        if one.run != run:
            return
        self.start(one, self.now, one.behaviour.start_cpu_s)
        for t, factor in one.behaviour.warm_time:
            self.at(self.now + t, self.warm, one, run, factor)
        if one.behaviour.start_cpu_s == 0:
            self.listens(one)

    def warm(self, one: Container, run: int, factor: float) -> None:
        if one.run == run:
            self.plane.set_pod(self.now, one.name, speed=self.speed(one) * factor)

    def listens(self, one: Container) -> None:
        one.listening = True
        self.listened.append((self.now, one.name))
        self.report(one, True)

    def report(self, one: Container, well: bool) -> None:
        told, one.when_started = one.when_started, None
        if told is not None:
            told(well)

    def gone(self, one: Container) -> None:
        one.run += 1
        if one.up:
            self.ended.append((self.now, one.name))
        one.up = one.listening = False
        told, one.when_gone = one.when_gone, []
        for action in told:
            action()

    def exit(self, one: Container, run: int, status: int) -> None:
        if one.run != run or not one.up:
            return
        lasted, by_hand = self.now - one.since, one.by_hand
        self.gone(one)
        self.report(one, False)
        if by_hand:
            return
        policy = one.placement.restart
        one.wait = 0.1 if lasted >= 10.0 or one.wait == 0.0 else min(60.0, 2 * one.wait)
        if policy.name == "no" or (policy.name == "on-failure" and (status == 0 or 0 < policy.most <= one.count)):
            return
        one.count += 1
        self.at(self.now + one.wait, self.again, one, one.run)

    def again(self, one: Container, run: int) -> None:
        if one.run == run and self.down_until[one.host] <= self.now:
            self.begin(one)

    def stop(self, one: Container, then: Callable[[], None]) -> None:
        if not one.up:
            then()
            return
        one.when_gone.append(then)
        if not (one.listening and one.behaviour.handles_term):
            self.plane.kill(self.now, one.name)
            self.gone(one)
        elif self.plane.drain(self.now, one.name, accept=one.behaviour.accept_on_term) is not None:
            self.gone(one)
        else:
            self.at(self.now + one.placement.stop_s, self.overdue, one, one.run)

    def overdue(self, one: Container, run: int) -> None:
        if one.run == run:
            self.plane.kill(self.now, one.name)
            self.gone(one)

    # ---------------------------------------------------------------- what happens

    def spike(self, event: Event) -> None:
        """In the rates already."""

    def release(self, event: Event) -> None:
        if event.arguments.get("fails") == "pull":
            return
        for name in self.named(event):
            before = self.wanted[name][self.present[name]][0]
            self.wanted[name].append((event.arguments.get("behaviour", before), event.arguments.get("fails")))
            self.present[name] = len(self.wanted[name]) - 1
        self.roll(self.named(event))

    def undo(self, event: Event) -> None:
        for name in self.named(event):
            others = [i for i in range(len(self.wanted[name])) if i != self.present[name]]
            self.present[name] = others[-1] if others else self.present[name]
        self.roll(self.named(event))

    def named(self, event: Event) -> list[str]:
        order = list(dict.fromkeys([*self.spec.release.order, *self.wanted]))
        return [name for name in order if event.target in ("all", name)]

    def roll(self, names: list[str]) -> None:
        turns = {}
        for name in names:
            self.turn[name] = turns[name] = self.turn.get(name, 0) + 1
        steps: list[list[Container]] = []
        for name in names:
            own = [one for one in self.containers.values() if one.placement.workload == name]
            steps += [own] if self.spec.release.together else [[one] for one in own]
        self.step(steps, turns)

    def step(self, steps: list[list[Container]], turns: dict[str, int]) -> None:
        if not steps:
            return
        group, answers = steps[0], list[bool]()

        def answered(well: bool) -> None:
            answers.append(well)
            if len(answers) == len(group) and all(answers):
                self.step(steps[1:], turns)

        for one in group:
            self.replace(one, turns[one.placement.workload], answered)

    def replace(self, one: Container, turn: int, answered: Report) -> None:
        self.report(one, False)
        one.by_hand = True
        self.stop(one, lambda: self.at(self.now + self.spec.release.image_s, self.succeed, one, turn, answered))

    def succeed(self, one: Container, turn: int, answered: Report) -> None:
        name = one.placement.workload
        if self.turn[name] != turn or self.down_until[one.host] > self.now:
            answered(False)
            return
        one.behaviour, one.fails = self.wanted[name][self.present[name]]
        one.wait, one.count, one.when_started = 0.0, 0, answered
        self.begin(one)

    def hostloss(self, event: Event) -> None:
        lasting = event.arguments.get("for", math.inf)
        host, was_down = event.target, self.down_until[event.target] > self.now
        self.down_until[host] = max(self.down_until[host], self.now + lasting)
        for one in [] if was_down else [one for one in self.containers.values() if one.host == host]:
            self.plane.lose(self.now, one.name)
            self.gone(one)
            self.report(one, False)
        if math.isfinite(lasting):
            self.at(self.now + lasting, self.back, host)

    def back(self, host: str) -> None:
        if self.down_until[host] > self.now:
            return
        for one in [one for one in self.containers.values() if one.host == host]:
            self.plane.kill(self.now, one.name)
            one.wait, one.count = 0.0, 0
            if one.placement.restart.name in ("always", "unless-stopped"):
                self.begin(one)
