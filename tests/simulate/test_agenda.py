"""The agenda keeps the order of SimPy's own environment, whatever is asked of it."""

from __future__ import annotations

import gc
import random
from collections.abc import Generator
from typing import Any

import pytest
from simpy import Environment

from simulate import engine
from simulate.control.loops.agenda import Agenda
from tests.simulate.worlds import QuietPlane, workload, world


class Story:
    """Actions that ask for more actions and processes, times on a coarse grid so that many fall together; the same for both clocks."""

    def __init__(self, clock: Any, seed: int, numbers: bool) -> None:
        self.clock = clock
        self.dice = random.Random(seed)
        self.numbers = numbers
        self.said: list[tuple[float, str]] = []
        self.left = 300
        self.doors: list[Any] = []

    def after(self, delay_s: float, name: str) -> None:
        if isinstance(self.clock, Agenda):
            self.clock.after(delay_s, self.act, name)
        else:
            self.clock.timeout(delay_s).callbacks.append(lambda _: self.act(name))

    def say(self, name: str) -> None:
        self.said.append((round(self.clock.now, 6), name))

    def act(self, name: str) -> None:
        self.say(name)
        for child in range(self.dice.randint(0, 3)):
            if self.left <= 0:
                return
            self.left -= 1
            kind = self.dice.choice(["after", "after", "process", "open"])
            if kind == "after":
                self.after(self.dice.choice([0.0, 0.0, 0.5, 1.0, 2.0]), f"{name}.{child}")
            elif kind == "process":
                self.clock.process(self.walk(f"{name}.{child}"))
            elif self.doors:
                self.doors.pop(self.dice.randrange(len(self.doors))).succeed(name)

    def walk(self, name: str) -> Generator[Any, Any, None]:
        self.say(f"{name} begins")
        for step in range(self.dice.randint(0, 3)):
            wait_s = self.dice.choice([0.0, 0.5, 1.0])
            yield wait_s if self.numbers and isinstance(self.clock, Agenda) else self.clock.timeout(wait_s)
            self.say(f"{name} step {step}")
        door = self.clock.event()
        self.doors.append(door)
        late = self.clock.timeout(3.0)
        yield late | door
        self.say(f"{name} {'let in' if door.triggered else 'tired'}")
        value = yield late
        self.say(f"{name} ends {value}")


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("numbers", [False, True])
def test_the_order_is_that_of_simpy(seed: int, numbers: bool) -> None:
    stories = [Story(clock, seed, numbers) for clock in (Environment(), Agenda())]
    for story in stories:
        for first in range(5):
            story.after(float(first % 2), str(first))
        story.clock.run(50.0)
    assert stories[0].said == stories[1].said
    assert len(stories[0].said) > 5


def test_a_run_ends_with_what_is_at_its_end_and_catches_up_before_each_time() -> None:
    agenda, said = Agenda(), list[str]()
    agenda.after(1.0, said.append, "one")
    agenda.after(2.0, said.append, "two")
    agenda.after(2.1, said.append, "late")
    looked: list[float] = []

    def catch_up(t_s: float) -> bool:
        looked.append(t_s)
        if t_s == 2.0 and "met" not in said:
            said.append("met")
            agenda.after(0.5, said.append, "between")
            return True
        return False

    agenda.play(2.0, catch_up)
    assert said == ["one", "met", "between", "two"]
    assert looked == [1.0, 2.0, 1.5, 2.0, 2.0]
    assert (agenda.done, agenda.peek()) == (3, 2.1)


def test_what_a_process_raises_ends_the_run() -> None:
    def fails() -> Generator[Any, Any, None]:
        yield 1
        raise ValueError("said")

    agenda = Agenda()
    agenda.process(fails())
    with pytest.raises(ValueError, match="said"):
        agenda.run(2.0)
    assert (agenda.now, agenda.done) == (1.0, 1), "that it began is no event"


def test_the_collector_of_cycles_is_as_it_was_after_a_run() -> None:
    usual = gc.get_threshold()
    engine.run(world(workload(replicas=1)), plane=QuietPlane())
    assert gc.get_threshold() == usual
