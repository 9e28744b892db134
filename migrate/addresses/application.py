"""The texts of a service after their edits: environment, commands, health check, files, what is laid over the image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from migrate.addresses.rewrite import rewrite
from migrate.addresses.types import Edit, RewrittenFile, RewrittenService
from migrate.patterns import late
from migrate.stack import Stack, Text
from migrate.stack.mounts import build_context
from migrate.stack.texts import copy_targets

_FIELD = late(r"\$(?:POD_IP|HOST_IP)\b")
_TOKENS = ("@@ADDR:", "@@ADDR6:", "@@POD_IP@@", "@@HOST_IP@@")


def applied(
    stack: Stack,
    name: str,
    texts_of: Sequence[tuple[int, Text]],
    edits: Mapping[int, list[Edit]],
    *,
    host_aliases: Mapping[str, tuple[str, ...]],
    nameservers: tuple[str, ...] | None,
    alias_names: tuple[str, ...],
    load_balancer_ip: str | None,
    cluster_ips: tuple[str, ...] = (),
) -> RewrittenService:
    """The texts of service `name` (`texts_of`: each with its index in `Stack.texts`) with `edits` (index -> edits) applied."""
    service = stack.members[name].service
    texts: dict[tuple[str, str], tuple[str, list[Edit]]] = {(t.place, t.key): (t.text, edits.get(i, [])) for i, t in texts_of}
    new = {at: rewrite(text, changes) for at, (text, changes) in texts.items()}
    changed = frozenset(key for (place, key), (_, e) in texts.items() if e and place in ("environment", "env_file"))
    variables = {key: value for (place, key), value in new.items() if place in ("environment", "env_file")}
    env_command = [v for (p, k), v in new.items() if p in ("environment", "env_file", "command", "entrypoint") and texts[p, k][1]]
    check = _healthcheck(service.healthcheck.test if service.healthcheck else None, texts)
    shell = [*(check or ()), *(v for (p, k), v in new.items() if p == "command" and "/" in k and texts[p, k][1])]
    return RewrittenService(
        environment={k: variables.get(k, v.value) for k, v in service.environment.items()},
        command=_words(service.command, "command", new),
        entrypoint=_words(service.entrypoint, "entrypoint", new),
        healthcheck=check,
        files={key: _file(key, text, changes) for (p, key), (text, changes) in texts.items() if p in ("file", "config", "secret")},
        changed_variables=changed,
        needs_pod_ip=_needs("POD_IP", env_command, shell),
        needs_host_ip=_needs("HOST_IP", env_command, shell),
        host_aliases=host_aliases,
        cluster_ips=cluster_ips,
        nameservers=nameservers,
        alias_names=alias_names,
        labels={k: new.get(("labels", k), v) for k, v in service.labels.items()},
        hooks={key: v for (p, key), v in new.items() if p == "command" and "/" in key and texts[p, key][1]},
        overlays=_overlays(stack, name, {key: te for (p, key), te in texts.items() if p == "build" and te[1]}),
        load_balancer_ip=load_balancer_ip,
    )


def overlay_targets(stack: Stack, name: str, path: str) -> tuple[str, ...]:
    """Where the image of service `name` has the build context's file `path`; nowhere for the Dockerfile itself and unknown targets."""
    member = stack.members[name]
    context = build_context(member.service, stack.project)
    if member.dockerfile is None or context is None or path == str(member.dockerfile.path):
        return ()
    return copy_targets(Path(path), context, member.dockerfile)


def _overlays(stack: Stack, name: str, texts: Mapping[str, tuple[str, list[Edit]]]) -> dict[str, RewrittenFile]:
    found = {}
    for path, (text, changes) in texts.items():
        for target in overlay_targets(stack, name, path):
            found[target] = _file(path, text, changes)
    return found


def _file(key: str, text: str, changes: list[Edit]) -> RewrittenFile:
    rendered = any(t in e.new for e in changes for t in _TOKENS)
    return RewrittenFile(source=key, text=rewrite(text, changes), rendered=rendered, changed=bool(changes))


def _needs(field: str, values: list[str], shell: list[str]) -> bool:
    return any(f"$({field})" in v for v in values) or any(re.search(rf"\${field}\b", v) for v in shell)


def _words(said: tuple[str, ...] | None, place: str, new: Mapping[tuple[str, str], str]) -> tuple[str, ...] | None:
    return None if said is None else tuple(new.get((place, str(i)), word) for i, word in enumerate(said))


def _healthcheck(test: tuple[str, ...] | None, texts: Mapping[tuple[str, str], tuple[str, list[Edit]]]) -> tuple[str, ...] | None:
    """The test with its edits; a CMD list that needs a shell variable becomes a CMD-SHELL text."""
    if test is None:
        return None
    edits = [texts.get(("healthcheck", str(i)), ("", []))[1] for i in range(len(test))]
    needs_shell = any(_FIELD.search(e.new) for changes in edits for e in changes)
    if not needs_shell:
        return tuple(rewrite(word, changes) for word, changes in zip(test, edits, strict=True))
    if test[0] == "CMD":
        return ("CMD-SHELL", " ".join(_quoted(word, changes) for word, changes in list(zip(test, edits, strict=True))[1:]))
    return (test[0], *(_spliced(word, changes) for word, changes in list(zip(test, edits, strict=True))[1:]))


def _quoted(word: str, changes: list[Edit]) -> str:
    """A word of a list as shell text; variables in double quotes, everything else as it is.

    >>> _quoted("http://10.0.0.5:80/a b", [Edit(start=7, end=15, new="$POD_IP")])
    '"http://$POD_IP:80/a b"'
    """
    if not any(_FIELD.search(e.new) for e in changes):
        return shlex.quote(rewrite(word, changes))
    parts, at = [], 0
    for edit in sorted(changes, key=lambda e: e.start):
        parts += [_in_double_quotes(word[at : edit.start]), edit.new]
        at = edit.end
    return '"' + "".join((*parts, _in_double_quotes(word[at:]))) + '"'


def _in_double_quotes(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _spliced(text: str, changes: list[Edit]) -> str:
    """Shell text with its edits; inside single quotes a variable leaves them for itself.

    >>> _spliced("sh -c 'ping 10.0.0.5'", [Edit(start=12, end=20, new="$POD_IP")])
    'sh -c \\'ping \\'"$POD_IP"\\'\\''
    """
    return rewrite(text, [_outside_quotes(text, e) if _FIELD.search(e.new) else e for e in changes])


def _outside_quotes(text: str, edit: Edit) -> Edit:
    single = double = False
    for i, c in enumerate(text[: edit.start]):
        if c == "'" and not double:
            single = not single
        elif c == '"' and not single and text[i - 1 : i] != "\\":
            double = not double
    return Edit(start=edit.start, end=edit.end, new=f"'\"{edit.new}\"'") if single else edit
