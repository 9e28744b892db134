"""Every address, and every name in host position, of the scanned text; each with its key, its context and whom it means."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from migrate.compose.model import Project
from migrate.description import description
from migrate.patterns import late
from migrate.stack.contexts import context_of, strongest, syntaxes_of
from migrate.stack.hosts import Form, Word, host_words
from migrate.stack.names import Directory
from migrate.stack.outline import Where, in_command, in_file, in_variable, line_before
from migrate.stack.positions import Locator
from migrate.stack.tokens import Token, addresses, comments, inside, port_after, scheme_before
from migrate.stack.types import Context, Kind, Occurrence, Place, Text
from migrate.stack.values import LISTED, values

_WORDS: tuple[Place, ...] = ("command", "entrypoint", "healthcheck")
_VALUES: tuple[Place, ...] = ("environment", "env_file", "labels")
_SCRIPT = late(r"\A#!.*\b(?:ba|da|k|z|a)?sh\b")
_DOCKERFILE = late(r"(?:^|/)(?:[\w.-]*\.)?Dockerfile(?:\.[\w.-]+)?$|(?:^|/)Makefile$", re.IGNORECASE)
_FROM = late(r"^\s*(?:FROM|LABEL|MAINTAINER)\b", re.IGNORECASE)
_IMAGE_KEY = late(r"(?:^|[._-])(?:image|version|tag)$", re.IGNORECASE)
_DECLARED_KEY = late(r"(?:^|[._-])(?:image|version|tag)$|^(?:subnet|ipv[46]_address|ip_range|aux_addresses)$", re.IGNORECASE)
_DECLARES = late(r"^\s*-?\s*[\"']?(?:ipv[46]_address|subnet|gateway|ip_range|aux_addresses|image|version)[\"']?\s*:", re.IGNORECASE)
_BOTH = late(r"(^|[-_.])(dns|sip|syslog)|nameserver|resolver|enode://", re.IGNORECASE)
_USED = late(r"\$\{?([A-Za-z_]\w*)|\{\{[^{}\n]*?([A-Za-z_]\w*)[^{}\n]*\}\}|(?<![\w$])([A-Z][A-Z0-9_]{2,})(?!\w)")
_LENGTH = late(r"/[\d.]+")
_PREFIX_ALONE = late(r"(\d{1,3}\.\d{1,3}\.\d{1,3})\.?")
_RECORDS = frozenset({"zone", "dnsmasq", "unbound", "named", "coredns", "hosts", "openssl", "kea"})
_DNS_FORWARDER: tuple[Place, ...] = ("dns",)


@description
class Subnets:
    """The stack's networks as numbers: (network key, subnet)."""

    known: tuple[tuple[str, IPv4Network | IPv6Network], ...]

    @classmethod
    def of(cls, project: Project) -> Subnets:
        """Every readable `ipam` subnet in file order."""
        found: list[tuple[str, IPv4Network | IPv6Network]] = []
        for network in project.networks.values():
            for entry in network.subnets:
                try:
                    found.append((network.key, ip_network(entry.subnet or "", strict=False)))
                except ValueError:
                    continue
        return cls(known=tuple(found))

    def holding(self, address: str) -> str | None:
        """The network whose subnet holds `address`, the longest prefix first; None if none does."""
        if not self.known:
            return None
        number = ip_address(address)
        fitting = [(subnet.prefixlen, key) for key, subnet in self.known if number in subnet]
        return max(fitting, key=lambda f: f[0])[1] if fitting else None

    def overlapping(self, text: str) -> str | None:
        """The network that overlaps `text`, a network in CIDR form."""
        if not self.known:
            return None
        try:
            other = ip_network(text, strict=False)
        except ValueError:
            return None
        return next((key for key, subnet in self.known if subnet.version == other.version and subnet.overlaps(other)), None)


@dataclass(slots=True)
class Scanner:
    """Machinery of one resolution: turns texts into occurrences."""

    project: Project
    directory: Directory
    locator: Locator
    subnets: Subnets
    targets: Mapping[str, tuple[str, ...]]
    """absolute source of a mounted file -> its target paths and the images that mount it"""
    _syntaxes: dict[str, frozenset[str]] = field(default_factory=dict)
    _map: tuple[str, ...] = ()

    def scan(self, texts: Sequence[Text]) -> tuple[Occurrence, ...]:
        """The occurrences of all texts in their order."""
        self._map = tuple(self.directory.by_address)
        found: list[Occurrence] = []
        for unit in _units(texts):
            found += self._unit(unit)
        return tuple(self._with_used_contexts(texts, found))

    def unseen(self, texts: Sequence[Text], first: int, seen: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        """The addresses of texts[first:] that stand where no occurrence of `seen` does: Compose text that no selected service uses."""
        places = {o.span for o in seen}
        found = (replace(o, text=o.text + first) for unit in _units(texts[first:]) for o in self._unit(unit))
        return tuple(o for o in found if o.span not in places and o.kind == "address")

    def _unit(self, unit: _Unit) -> Iterator[Occurrence]:
        tokens: list[Token | Word] = [*self._addresses(unit), *self._names(unit)]
        if not tokens:
            return
        hidden = comments(unit.text) if unit.has_comments else ()
        visible = [t for t in sorted(tokens, key=lambda t: t.start) if not inside(t.start, hidden)]
        meant = [self._meaning(unit, t) for t in visible]
        groups = values(unit.text, unit.form, [(t.start, t.end) for t in visible])
        beside: dict[int, set[str]] = {}
        for group, (service, _) in zip(groups, meant, strict=True):
            if service is not None:
                beside.setdefault(group, set()).add(service)
        frozen: dict[int, frozenset[str]] = {group: frozenset(services) for group, services in beside.items()}
        places = self._places(unit, visible)
        for token, (service, network), group, place in zip(visible, meant, groups, places, strict=True):
            made = self._occurrence(unit, token, service, network, frozen.get(group, frozenset()), place)
            if made is not None:
                yield made

    def _places(self, unit: _Unit, tokens: Sequence[Token | Word]) -> Iterator[tuple[Where, Context]]:
        """Where each token stands and what kind of place that is: in a plain list what its first element has."""
        place: tuple[Where, Context] | None = None
        end = -1
        for token in tokens:
            if place is None or not LISTED.fullmatch(unit.text, end, token.start):
                where = unit.where(token.start)
                literal = unit.place in _DNS_FORWARDER
                place = where, "literal_only" if literal else context_of(where, self._syntaxes_of(unit), unit.text)
            end = token.end
            yield place

    def _addresses(self, unit: _Unit) -> Iterator[Token]:
        for token in addresses(unit.text):
            if token.kind == "prefix":
                if any(a.startswith(token.text) for a in self._map):
                    yield token
            elif token.address is not None and not _is_nobodys(token.address):
                yield token
        if (symbols := self.directory.symbols.pattern) is not None and not unit.is_file and "${" in unit.text:
            for m in symbols.finditer(unit.text):
                yield Token(
                    start=m.start(), end=m.end(), text=m[0], address=m[0], kind="address", port=port_after(unit.text, m.end()),
                    scheme=scheme_before(unit.text, m.start()),
                )  # fmt: skip
        alone = _PREFIX_ALONE.fullmatch(unit.text) if unit.form == "variable" else None
        if alone is not None and any(a.startswith(alone[1] + ".") for a in self._map):
            yield Token(start=0, end=len(unit.text), text=unit.text, address=None, kind="prefix", port=None, scheme="")

    def _names(self, unit: _Unit) -> Iterator[Word]:
        if unit.service is None or unit.place in ("dns", "extra_hosts", "ports"):
            return
        for word in host_words(unit.text, unit.form, unit.key if unit.form == "variable" else ""):
            if self.directory.could_mean(unit.service, word.text) and (
                self.directory.named(unit.service, word.text) is not None
                or self.directory.is_host(unit.service, word.text)
                or self.directory.outside(unit.service, word.text) is not None
            ):
                yield word

    def _meaning(self, unit: _Unit, token: Token | Word) -> tuple[str | None, str | None]:
        if isinstance(token, Word):
            return self.directory.named(unit.service, token.text), None
        if token.kind == "prefix" or token.address is None:
            return None, None
        return self.directory.addressed(unit.service, token.address)

    def _occurrence(
        self,
        unit: _Unit,
        token: Token | Word,
        service: str | None,
        network: str | None,
        beside: frozenset[str],
        place: tuple[Where, Context],
    ) -> Occurrence | None:
        if self._is_foreign(unit, token, service):
            return None
        where, context = place
        keyed = _DECLARED_KEY if unit.is_file else _IMAGE_KEY
        if (unit.is_file and _declares(unit, token.start)) or any(keyed.search(k) for k in where.keys[:1]):
            return None
        text, start = unit.origin(token.start)
        address, kind = _identity(token)
        if address is not None and service is None:
            network = self.subnets.holding(address)
        if isinstance(token, Word) and token.dotted and (context == "served_name" or self._syntaxes_of(unit) & _RECORDS):
            return None  # what callers send or resolvers answer, those outside too: no host that is called
        end = start + token.end - token.start
        span = self.locator.span(unit.texts[text], start, end)
        return Occurrence(
            text=unit.indices[text], start=start, end=end, token=token.text, address=address, kind=kind, service=service, network=network,
            port=_stated_port(unit, token, where), protocol=_protocol(token, where), scheme=token.scheme, context=context, keys=where.keys,
            before=where.before, beside=beside, syntaxes=self._syntaxes_of(unit), span=span, assembled=span in self.locator.assembled,
        )  # fmt: skip

    def _is_foreign(self, unit: _Unit, token: Token | Word, service: str | None) -> bool:
        """Networks and ranges that have nothing to do with the stack; outside the containers, all that is not declared."""
        if isinstance(token, Word) or service is not None or token.kind == "prefix" or token.address is None:
            return False
        if unit.place == "script":
            return True
        if token.kind == "address":
            return False
        said = _LENGTH.match(unit.text, token.end)
        return self.subnets.overlapping(token.address + (said[0] if said and token.kind == "network" else "")) is None

    def _syntaxes_of(self, unit: _Unit) -> frozenset[str]:
        if not unit.is_file:
            return frozenset()
        if unit.key not in self._syntaxes:
            self._syntaxes[unit.key] = syntaxes_of((unit.key, *self.targets.get(unit.key, ())), unit.text)
        return self._syntaxes[unit.key]

    def _with_used_contexts(self, texts: Sequence[Text], found: list[Occurrence]) -> Iterator[Occurrence]:
        """Occurrences in variables get the contexts of the places that use the variable, too."""
        wanted: dict[str, set[str]] = {}
        for o in found:
            text = texts[o.text]
            if text.service is not None and text.place in ("environment", "env_file") and o.context != "served_name":
                wanted.setdefault(text.service, set()).add(text.key)
        used = self._uses_of_variables(texts, wanted) if wanted else {}
        for o in found:
            text = texts[o.text]
            more = used.get((text.service or "", text.key)) if text.place in ("environment", "env_file") else None
            yield replace(o, context=strongest((o.context, *more))) if more else o

    def _uses_of_variables(self, texts: Sequence[Text], wanted: Mapping[str, set[str]]) -> dict[tuple[str, str], list[Context]]:
        found: dict[tuple[str, str], list[Context]] = {}
        for unit in _units([t for t in texts if t.service in wanted and t.place not in (*_VALUES, "dns", "extra_hosts", "ports")]):
            variables = wanted[unit.service or ""]
            for m in _USED.finditer(unit.text):
                name = m[1] or m[2] or m[3]
                if name in variables and (not m[3] or unit.is_file):
                    context = context_of(unit.where(m.start()), self._syntaxes_of(unit), unit.text)
                    found.setdefault((unit.service or "", name), []).append(context)
        return found


@description
class _Unit:
    """Texts that are read as one: the words of a command joined by blanks, or a single text."""

    texts: tuple[Text, ...]
    indices: tuple[int, ...]
    text: str
    starts: tuple[int, ...]
    form: Form
    is_file: bool
    has_comments: bool

    @property
    def service(self) -> str | None:
        return self.texts[0].service

    @property
    def place(self) -> Place:
        return self.texts[0].place

    @property
    def key(self) -> str:
        return self.texts[0].key

    def origin(self, offset: int) -> tuple[int, int]:
        """Which of the joined texts an offset is in, and where in it."""
        at = bisect_right(self.starts, offset) - 1
        return at, offset - self.starts[at]

    def where(self, offset: int) -> Where:
        if self.form == "variable":
            return in_variable(self.key, self.text, offset)
        return in_command(self.text, offset) if self.form == "command" else in_file(self.text, offset)


def _units(texts: Sequence[Text]) -> Iterator[_Unit]:
    at = 0
    while at < len(texts):
        first, end = texts[at], at + 1
        if first.place in _WORDS:
            while (
                end < len(texts)
                and (texts[end].service, texts[end].place) == (first.service, first.place)
                and _step(texts[end]) == _step(first)
            ):
                end += 1
        group = tuple(texts[at:end])
        starts, offset = [], 0
        for text in group:
            starts.append(offset)
            offset += len(text.text) + 1
        is_file = first.place in ("config", "secret", "file", "build", "script")
        yield _Unit(
            texts=group, indices=tuple(range(at, end)), text=" ".join(t.text for t in group) if len(group) > 1 else first.text,
            starts=tuple(starts), form=_form(first), is_file=is_file,
            has_comments=is_file or "\n" in first.text or any("\n" in t.text for t in group),
        )  # fmt: skip
        at = end


def _step(text: Text) -> str:
    return text.key.rpartition("/")[0]


def _form(text: Text) -> Form:
    if text.place in _WORDS:
        return "command"
    if text.place in ("config", "secret", "file", "build", "script"):
        shell = text.key.endswith((".sh", ".bash")) or _SCRIPT.match(text.text) or _DOCKERFILE.search(text.key)
        return "command" if shell else "file"
    return "variable"


def _declares(unit: _Unit, offset: int) -> bool:
    line = line_before(unit.text, offset)
    return bool(_DECLARES.match(line) or (_DOCKERFILE.search(unit.key) and _FROM.match(line)))


def _is_nobodys(address: str) -> bool:
    """A1: loopback, unspecified, netmasks and what looks like a version."""
    number = ip_address(address)
    if number.is_loopback or number.is_unspecified or (number.is_link_local and number.version == 6):
        return True
    return number.version == 4 and address.startswith(("0.", "255."))


def _identity(token: Token | Word) -> tuple[str | None, Kind]:
    return (None, "name") if isinstance(token, Word) else (token.address, token.kind)


def _stated_port(unit: _Unit, token: Token | Word, where: Where) -> int | None:
    if token.port is not None or (isinstance(token, Token) and token.kind != "address"):
        return token.port
    after = unit.text[token.end : token.end + 12]
    if re.search(
        r"(?:sentinel\s+monitor\s+\S+|replicaof|slaveof|\bnc(?:\s+-\w+)*|telnet)\s*[\"']?$", where.before[-80:], re.IGNORECASE
    ) and (m := re.match(r"[\"']?\s+[\"']?(\d{2,5})\b", after)):
        return int(m[1])
    return None


def _protocol(token: Token | Word, where: Where) -> str:
    if token.scheme in ("udp", "tcp"):
        return token.scheme
    return "both" if _BOTH.search(where.before[-200:]) or any(_BOTH.search(k) for k in where.keys) else "tcp"
