"""`verify` refuses what an API server refuses and nothing else: a change at a time, the truth being the server's own answers."""

from __future__ import annotations

from typing import Any

import pytest

from migrate.verify import check, forms
from migrate.verify.schema import versions
from tests.migrate.refused_objects import CHANGES, OBJECTS, called, changed

SEEN_TOGETHER = ("is not there", "leads to no pod")
"""What is told of an object because the others are missing here; the server looks at one object at a time."""


def told(manifest: dict[str, Any], version: str = "1.36") -> list[str]:
    findings = check([manifest], kubernetes_version=version)
    return [f.message for f in findings if not any(part in f.message for part in SEEN_TOGETHER)]


@pytest.mark.parametrize("kind", OBJECTS)
def test_sound_objects_are_taken_in_every_version(kind: str) -> None:
    assert {version: told(OBJECTS[kind], version) for version in versions()} == {version: [] for version in versions()}


@pytest.mark.parametrize(("kind", "place", "value", "taken"), CHANGES, ids=[called(*change[:3]) for change in CHANGES])
def test_what_the_server_refuses_is_told_and_nothing_else(kind: str, place: str, value: Any, taken: bool) -> None:
    messages = told(changed(kind, place, value))
    assert (messages == []) is taken, messages


def test_every_kind_that_is_checked_has_refusals_of_its_own() -> None:
    refused = {kind for kind, _, _, taken in CHANGES if not taken}
    assert refused == set(OBJECTS)
    assert sum(not taken for *_, taken in CHANGES) > 200 and sum(taken for *_, taken in CHANGES) > 35


@pytest.mark.parametrize(
    ("kind", "place", "value", "first"),
    [
        ("Service", "metadata.name", "0ne", "1.36"),
        ("Deployment", "spec.template.spec.containers.0.env.0.name", "1 A", "1.32"),
        ("Deployment", "spec.template.spec.dnsConfig", {"searches": ["a_b.example.com"]}, "1.33"),
    ],
)
def test_what_later_versions_allow(kind: str, place: str, value: Any, first: str) -> None:
    manifest = changed(kind, place, value)
    known = versions()
    assert [version for version in known if told(manifest, version) == []] == list(known[known.index(first) :])


def test_a_refused_value_stands_in_the_message_unless_it_may_be_a_secret() -> None:
    (message,) = told(changed("Deployment", "spec.template.spec.dnsPolicy", "Custom"))
    assert message.startswith("Deployment web: spec.template.spec.dnsPolicy: 'Custom' is not one of ")
    (message,) = told(changed("Secret", "data", {"b": "cGFzc3dvcmQ"}))
    assert "cGFzc3dvcmQ" not in message and "data.b: must be base64" in message


@pytest.mark.parametrize(
    "text", ["", "* * * *", "* * * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *", "@every", "-1 * * * *"]
)
def test_no_schedules(text: str) -> None:
    assert not forms.is_schedule(text)
