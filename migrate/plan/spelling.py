"""How names are spelled for Kubernetes (conversion.md 2.3 N1): labels, slugs, hash digits, key paths. Pure text, no decision."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from migrate.patterns import late

DEFAULT_DOMAIN: Final = "cluster.local"
LONGEST_OBJECT_NAME: Final = 52
LONGEST_LABEL: Final = 63
LONGEST_PORT_NAME: Final = 15
PROTOCOLS: Final = frozenset({"tcp", "udp", "sctp"})

_LABEL: Final = late(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_POD_LABEL: Final = late(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PORT_NAME: Final = late(r"(?=.{1,15}\Z)(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE: Final = late(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_QUALIFIED: Final = late(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN: Final = late(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def digits(text: str) -> str:
    """Five hexadecimal digits of SHA-256: what a name gets when it must differ.

    >>> digits("web")
    '4b5e5'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:5]


def label(key: str) -> str:
    """N1 without the cut: `key` as an RFC 1035 label.

    >>> label("Auth_API"), label("scm1.org"), label("3scale"), label("--"), label("é")
    ('auth-api', 'scm1-org', 's-3scale', 'service', 'service')
    """
    kept = re.sub(r"[^a-z0-9-]", "", key.lower().replace("_", "-").replace(".", "-")).strip("-")
    if not kept:
        return "service"
    return f"s-{kept}" if kept[0].isdigit() else kept


def shortened(name: str, key: str, longest: int = LONGEST_OBJECT_NAME) -> str:
    """`name` if it has at most `longest` characters, else its beginning and five digits of `key`'s hash.

    >>> len(shortened("x" * 60, "k")), shortened("web", "web")
    (52, 'web')
    """
    return name if len(name) <= longest else f"{name[: longest - 6].rstrip('-')}-{digits(key)}"


def object_name(key: str) -> str:
    """N1 for volumes, secrets, configs, networks: `key` as a label of at most 52 characters.

    >>> object_name("Mysql_Data")
    'mysql-data'
    """
    return shortened(label(key), key)


def object_names(keys: Iterable[str]) -> dict[str, str]:
    """N1 and N2 for volumes, secrets, configs: the name of each key; of equal ones the key that needed no change keeps it.

    >>> object_names(["my_data", "my-data", "x"])
    {'my_data': 'my-data-e1f40', 'my-data': 'my-data', 'x': 'x'}
    """
    wished: dict[str, list[str]] = {}
    for key in keys:
        wished.setdefault(object_name(key), []).append(key)
    names: dict[str, str] = {}
    for name, equal in wished.items():
        keeper = next((k for k in equal if k == name), equal[0])
        for key in equal:
            names[key] = name if key == keeper else f"{name[: LONGEST_OBJECT_NAME - 6].rstrip('-')}-{digits(key)}"
    return names


def slug(path: str) -> str:
    """A path as part of a name: without leading `./`, `../`, `/`; `/` becomes `-`; then N1.

    >>> slug("./nginx/nginx.conf"), slug("../a/B_c")
    ('nginx-nginx-conf', 'a-b-c')
    """
    return label(re.sub(r"^(\.{0,2}/)+", "", path).replace("/", "-"))


def is_label(name: str) -> bool:
    """Whether `name` may name a Service (RFC 1035)."""
    return _LABEL.fullmatch(name) is not None


def is_pod_hostname(name: str) -> bool:
    """Whether `name` is an RFC 1123 label."""
    return _POD_LABEL.fullmatch(name) is not None


def is_port_name(name: str) -> bool:
    """Whether `name` is an IANA service name: at most 15 characters, a letter in it.

    >>> is_port_name("http"), is_port_name("80"), is_port_name("a--b"), is_port_name("x" * 16)
    (True, False, False, False)
    """
    return _PORT_NAME.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Whether `text` may be the value of a label."""
    return _LABEL_VALUE.fullmatch(text) is not None


def is_qualified(key: str) -> bool:
    """Whether `key` may be the key of a label or annotation: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    return _QUALIFIED.fullmatch(name) is not None and (not slash or _SUBDOMAIN.fullmatch(prefix) is not None)


def legal_keys(said: Mapping[str, object]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Labels as annotations: those whose key the API takes, as text, and the keys of the others.

    >>> legal_keys({"a/b": 1, "with blank": "x"})
    ({'a/b': '1'}, ('with blank',))
    """
    legal = {str(k): "" if v is None else str(v) for k, v in said.items() if is_qualified(str(k))}
    return legal, tuple(str(k) for k in said if not is_qualified(str(k)))


def is_subdomain(name: str) -> bool:
    """Whether `name` is an RFC 1123 subdomain."""
    return _SUBDOMAIN.fullmatch(name) is not None


def unique(name: str, taken: Iterable[str], key: str, longest: int = LONGEST_LABEL) -> str:
    """`name`, or with `-` and five digits of `key`'s hash if it is taken.

    >>> unique("data", {"data"}, "./data") == "data-" + digits("./data")
    True
    """
    if name not in taken:
        return name
    return f"{name[: longest - 6].rstrip('-')}-{digits(key)}"


def key_path(*steps: str | int) -> str:
    """A canonical path as findings show it.

    >>> key_path("services", "web", "ports", 0)
    'services.web.ports[0]'
    """
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
