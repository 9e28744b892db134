"""What kind of place an address stands in: the lists *address_context* of conversion-data.yaml, tried in their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from migrate.patterns import late
from migrate.stack.data import any_of, knowledge, pattern
from migrate.stack.outline import Where
from migrate.stack.types import Context

ORDER: tuple[Context, ...] = ("served_name", "literal_only", "acl", "own_literal", "advertise", "bind", "other")
_RESOLVING = late(r"resolve-hostnames\s+yes", re.IGNORECASE)
_DNS_FLAG = late(r"--Xdns-enabled|--raftdnsenable|raftdnsenable", re.IGNORECASE)
_SENTINEL = late(r"^\s*sentinel\s", re.IGNORECASE)
_ENODE = late(r"enode://[0-9a-f]*@$", re.IGNORECASE)


def context_of(where: Where, syntaxes: frozenset[str] = frozenset(), around: str = "") -> Context:
    """The context at `where`: first the *in_syntax* lists of the file's `syntaxes`, then the other lists in their order.

    `around` is the whole text, for the exceptions that another line makes (a sentinel that resolves names, a DNS flag).

    >>> context_of(Where(keys=("--bind",), before="redis-server --bind "))
    'bind'
    >>> context_of(Where(keys=("advertised.listeners",), before="advertised.listeners=PLAINTEXT://"))
    'advertise'
    >>> context_of(Where(keys=("server",), before="server="), frozenset({"dnsmasq"}))
    'literal_only'
    """
    if (found := _of_syntax(where.keys, syntaxes)) is not None:
        return found
    keyed = _of_keys(where.keys)
    for context in ORDER[:-1]:
        if context in keyed or _by_text(context, where, around):
            return context
    return "other"


@lru_cache(maxsize=4096)
def _of_syntax(keys: tuple[str, ...], syntaxes: frozenset[str]) -> Context | None:
    for syntax, lists in _in_syntax().items():
        if syntax in syntaxes:
            for context, patterns in lists.items():
                if any(patterns.search(k) for k in keys or ("",)):
                    return context
    return None


@lru_cache(maxsize=4096)
def _of_keys(keys: tuple[str, ...]) -> frozenset[Context]:
    """The contexts whose key patterns fit."""
    return frozenset(context for context in ORDER[:-1] if any(pattern("address_context", context).search(k) for k in keys))


def strongest(contexts: Iterable[Context]) -> Context:
    """The one of several contexts that comes first in the order of the lists.

    One value that is listened on and told to others is both: only the literal of the own pod serves both.

    >>> strongest(["other", "bind", "acl"]), strongest(["bind", "advertise"])
    ('acl', 'own_literal')
    """
    found = frozenset(contexts)
    best: Context = min(found, key=ORDER.index, default="other")
    return "own_literal" if best == "advertise" and "bind" in found else best


def syntaxes_of(paths: Iterable[str], text: str) -> frozenset[str]:
    """The syntaxes of a file: by its source or target path, by the images that mount it, by its text.

    >>> sorted(syntaxes_of(["/etc/dnsmasq.conf"], ""))
    ['dnsmasq']
    """
    names = tuple(paths)
    return frozenset(
        name
        for name, tests in _syntaxes().items()
        if any(p.search(path) for p in tests.get("path", ()) for path in names) or any(p.search(text) for p in tests.get("text", ()))
    )


def _by_text(context: Context, where: Where, around: str) -> bool:
    lists = knowledge()["address_context"]
    if f"{context}_after" in lists and pattern("address_context", f"{context}_after").search(where.after):
        return True
    if f"{context}_text" not in lists or not pattern("address_context", f"{context}_text").search(where.before):
        return False
    if _SENTINEL.search(where.before) and _RESOLVING.search(around):
        return False
    return not (_ENODE.search(where.before) and _DNS_FLAG.search(around))


@cache
def _in_syntax() -> Mapping[str, Mapping[Context, re.Pattern[str]]]:
    lists = knowledge()["address_context"]["in_syntax"]
    return {name: {context: any_of(tuple(keys)) for context, keys in found.items()} for name, found in lists.items()}


@cache
def _syntaxes() -> Mapping[str, Mapping[str, tuple[re.Pattern[str], ...]]]:
    return {name: {k: (any_of((v,)),) for k, v in tests.items()} for name, tests in knowledge()["syntax"].items()}
