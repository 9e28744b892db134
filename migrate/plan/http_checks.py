"""Health checks that are one request by curl or wget, as `httpGet` (conversion.md section 8, `probes: http`). Pure reading."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from migrate.patterns import late

_SELF: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "$pod_ip", "${pod_ip}"})  # noqa: S104 - read, not bound
_ENDING: Final = late(r"\s*(\|\|\s*\(?\s*(exit|false)\s*\d*\s*\)?|>\s*/dev/null(\s+2>&1)?|2>&1|&>\s*/dev/null)\s*$")
_BARE: Final = {
    "curl": late(r"-[fsSLkgIiNv]+|--(fail|silent|show-error|location|insecure|head|include|globoff|fail-with-body|http1\.1)"),
    "wget": late(r"-[qnvS]+|-nv|--(spider|quiet|no-verbose|no-check-certificate|server-response)|-T\d+|-t\d+|--(tries|timeout)=\d+"),
}
_WITH_VALUE: Final = {
    "curl": frozenset({"-o", "--output", "-m", "--max-time", "--connect-timeout", "--retry", "-w", "--write-out", "-fo", "-sfo", "-so"}),
    "wget": frozenset({"-O", "--output-document", "-T", "--timeout", "-t", "--tries", "-qO"}),
}
_JOINED: Final = late(r"-q?O[-/].*|--output-document=.*|-(s|f|sf|fs)?o/dev/null")


def as_http_get(test: Sequence[str]) -> dict[str, Any] | None:
    """The `httpGet` handler that asks what `test` asks; None if it is more than one request of the container to itself.

    `curl` without `--fail` is content with any answer, `httpGet` with those below 400 alone; and it asks at the pod's address, so that a
    listener of localhost alone does not answer.

    >>> as_http_get(("CMD-SHELL", "curl -fsS http://localhost:8080/health || exit 1"))
    {'httpGet': {'path': '/health', 'port': 8080}}
    >>> as_http_get(("CMD", "wget", "-qO-", "https://127.0.0.1/")), as_http_get(("CMD", "curl", "http://db:80/"))
    ({'httpGet': {'path': '/', 'port': 443, 'scheme': 'HTTPS'}}, None)
    """
    form, *words = test
    if form == "CMD-SHELL":
        text = " ".join(words)
        while (shorter := _ENDING.sub("", text)) != text:
            text = shorter
        if re.search(r"[|;&<>`]|\$\(", text):
            return None
        try:
            words = shlex.split(text)
        except ValueError:
            return None
    return _request(words)


def _request(words: Sequence[str]) -> dict[str, Any] | None:
    program = words[0].rsplit("/", 1)[-1] if words else ""
    if program not in _BARE:
        return None
    urls: list[str] = []
    headers: list[dict[str, str]] = []
    rest = iter(words[1:])
    for word in rest:
        if word in _WITH_VALUE[program]:
            next(rest, None)
        elif word in ("-H", "--header") or word.startswith("--header="):
            name, _, value = (word.partition("=")[2] or next(rest, "")).partition(":")
            headers.append({"name": name.strip(), "value": value.strip()})
        elif word.startswith("-"):
            if not _BARE[program].fullmatch(word) and not _JOINED.fullmatch(word):
                return None
        else:
            urls.append(word)
    return _handler(urls[0], headers) if len(urls) == 1 else None


def _handler(url: str, headers: list[dict[str, str]]) -> dict[str, Any] | None:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or (parts.hostname or "") not in _SELF or parts.username or "$" in parts.path + parts.query:
        return None
    found: dict[str, Any] = {"path": (parts.path or "/") + (f"?{parts.query}" if parts.query else "")}
    found["port"] = port or (443 if parts.scheme == "https" else 80)
    if parts.scheme == "https":
        found["scheme"] = "HTTPS"
    if headers:
        found["httpHeaders"] = headers
    return {"httpGet": found}
