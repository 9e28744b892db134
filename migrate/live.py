"""A running cluster: what its API server refuses, apply, difference and status. The only user of the kubernetes client.

The client brings the account (kubeconfig, tokens, certificates, plug-ins) and the connection; what is sent are the manifests as they are.
Before anything is asked, the account's rights are (SelfSubjectAccessReview). Nothing here prints, and only `apply` changes the cluster.

A dry run is an apply patch (`application/apply-patch+yaml`, `dryRun=All`, `fieldValidation=Strict`, forced), the request that `apply` would
make: fields that may not change on objects which are there already are refused too. A dry run stores nothing, so objects of a namespace
that is yet to be created would all be refused for that alone; they are asked for in `default` instead, and that is told.
"""

from __future__ import annotations

import difflib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from migrate.description import description
from migrate.findings import OutputError
from migrate.patterns import late
from migrate.verify.objects import mapping, name, namespace, sequence
from migrate.verify.refusals import Judged, Refusal, Right, is_below, refusals, without
from migrate.verify.standing import waiting_for

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
MANAGER: Final = "compose-cutover"
STAND_IN: Final = "default"
TIMEOUT_S: Final = 30.0
ASKS_AT_MOST: Final = 20
"""How often an object is asked for again, each time without what could not be read."""

_UNPRINTABLE: Final = late("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_TWICE: Final = "duplicate entries for key"
_VOLATILE: Final = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


class ServerFault(OutputError):
    """No answer of the server can be had: no account, no connection, no right. The message names the server and the reason."""


@description
class Answer:
    """What the server answered: the code, the body as plain data, and the warnings of its headers."""

    code: int
    body: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.code < 300


@description
class Applied:
    """What became of one object: `created`, `changed`, `unchanged` or `refused`."""

    position: int
    outcome: str
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()


@description
class Standing:
    """How far an object is: whether it is as it should be, and why not yet."""

    position: int
    ready: bool
    message: str


@dataclass(kw_only=True)
class Server:
    """A connection to one API server, with what was learned of it: which kinds it serves, which namespaces are there.

    `home` is the namespace of objects that name none.
    """

    client: Any
    host: str
    home: str = STAND_IN
    served: dict[str, Mapping[str, tuple[str, bool]]] = field(default_factory=dict)
    namespaces: dict[str, bool] = field(default_factory=dict)

    def ask(
        self, verb: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None, media: str = "application/json"
    ) -> Answer:
        """One request. ServerFault if there is no answer, or if it does not know who asks."""
        import urllib3

        headers = {"Accept": JSON, "Content-Type": media, "User-Agent": MANAGER, **self.account()}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the kubeconfig says so
                got = self.client.rest_client.pool_manager.request(
                    verb,
                    f"{self.host}{path}{'?' + urlencode(query) if query else ''}",
                    body=None if body is None else _sent(body),
                    headers=headers,
                    timeout=TIMEOUT_S,
                    retries=_again(),
                )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ServerFault(self.host, f"does not answer ({type(error).__name__})") from None
        if got.status == 401:
            raise ServerFault(self.host, "does not know this account (401)")
        return Answer(code=got.status, body=_plain(got.data), warnings=_warnings(got.headers))

    def account(self) -> dict[str, str]:
        """The headers that say who asks; a plug-in of the kubeconfig renews them."""
        configuration = self.client.configuration
        if configuration.refresh_api_key_hook is not None:
            configuration.refresh_api_key_hook(configuration)
        settings = configuration.auth_settings().values()
        return {s["key"]: s["value"] for s in settings if s.get("in") == "header" and s.get("value")}

    def version(self) -> str:
        """As the server says it, `v1.36.3`; empty if it does not."""
        return str(self.ask("GET", "/version").body.get("gitVersion") or "")

    def resource(self, manifest: Mapping[str, Any]) -> tuple[str, bool] | None:
        """The plural name of an object's kind and whether it lives in namespaces; None if the server does not serve it."""
        version = str(manifest.get("apiVersion") or "")
        if version not in self.served:
            answer = self.ask("GET", f"/{'apis' if '/' in version else 'api'}/{version}")
            listed = [mapping(entry) for entry in sequence(answer.body.get("resources"))] if answer.accepted else []
            self.served[version] = {
                str(entry.get("kind")): (str(entry.get("name")), bool(entry.get("namespaced")))
                for entry in listed
                if "/" not in str(entry.get("name"))
            }
        return self.served[version].get(str(manifest.get("kind")))

    def has_namespace(self, called: str) -> bool:
        """Whether it is there. An account that may not look is believed to know it."""
        if called not in self.namespaces:
            self.namespaces[called] = self.ask("GET", f"/api/v1/namespaces/{quote(called)}").code != 404
        return self.namespaces[called]

    def path(self, manifest: Mapping[str, Any], where: str | None = None) -> str:
        """The path of an object; `where` stands for its namespace."""
        version, resource = str(manifest.get("apiVersion")), self.resource(manifest)
        plural, namespaced = resource if resource is not None else ("", False)
        inside = f"/namespaces/{quote(where or namespace(manifest) or self.home)}" if namespaced else ""
        return f"/{'apis' if '/' in version else 'api'}/{version}{inside}/{plural}/{quote(name(manifest), safe='')}"


def connect(kubeconfig: str | None = None, context: str | None = None) -> Server:
    """The server of a kubeconfig file (None: the client's usual place, or the account of the pod that this runs in).

    ServerFault if there is none or it cannot be read. The server itself is not asked yet.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's dependencies: nothing that a user could do about
        from kubernetes import client, config

        settings = client.Configuration()
        try:
            load: Any = config.load_config
            load(**({"config_file": kubeconfig} if kubeconfig else {}), context=context, client_configuration=settings)
        except (config.ConfigException, OSError, ValueError, TypeError, KeyError) as error:
            reason = "holds no usable account" if kubeconfig else "no kubeconfig is there, and this is no pod"
            raise ServerFault(kubeconfig or "kubeconfig", f"{reason} ({type(error).__name__})") from None
    return Server(client=client.ApiClient(settings), host=str(settings.host).rstrip("/"), home=_home(config, kubeconfig, context))


def _home(config: Any, kubeconfig: str | None, context: str | None) -> str:
    """The namespace of the context, as kubectl takes it."""
    try:
        contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError):
        return STAND_IN
    chosen = next((one for one in contexts if one.get("name") == context), None) if context is not None else active
    return str(mapping(mapping(chosen).get("context")).get("namespace") or STAND_IN)


def _again() -> Any:
    """Connections that the server closed while they were idle are opened anew, and one that is too busy (429) is asked again when it says;
    only for requests that change nothing when they come twice."""
    import urllib3

    idempotent = frozenset({"GET", "PATCH"})
    return urllib3.Retry(total=4, connect=1, read=1, redirect=0, allowed_methods=idempotent, raise_on_status=False, raise_on_redirect=False)


def _sent(body: Any) -> bytes:
    """JSON that is YAML too, as which an apply patch is read: characters beyond the first plane as themselves (YAML knows no pairs of
    escapes), those that YAML refuses as escapes."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(body, ensure_ascii=False)).encode()


def _plain(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {"message": data.decode("utf-8", "replace").strip()}
    return body if isinstance(body, dict) else {}


def _warnings(headers: Any) -> tuple[str, ...]:
    """The texts of Warning headers: `299 - "text"`, several of them separated by commas."""
    found: list[str] = []
    for line in headers.getlist("Warning"):
        rest = line
        while '"' in rest:
            text, rest = _quoted(rest[rest.index('"') + 1 :])
            found.append(text)
    return tuple(found)


def _quoted(text: str) -> tuple[str, str]:
    """What stands up to the next quote that is not escaped, and what follows it."""
    taken: list[str] = []
    letters = iter(range(len(text)))
    for index in letters:
        if text[index] == "\\" and index + 1 < len(text):
            taken.append(text[index + 1])
            next(letters)
        elif text[index] == '"':
            return "".join(taken), text[index + 1 :]
        else:
            taken.append(text[index])
    return "".join(taken), ""


# ------------------------------------------------------------------ rights


def lacking(server: Server, rights: Sequence[Right]) -> tuple[Right, ...]:
    """Those of `rights` that the account has not. ServerFault if it may not even ask that."""
    missing = []
    for right in dict.fromkeys(rights):
        attributes = {"verb": right.verb, "group": right.group, "resource": right.resource, "namespace": right.namespace}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
        answer = server.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        if not answer.accepted:
            raise ServerFault(server.host, f"does not tell the rights of this account ({answer.code})")
        if not mapping(answer.body.get("status")).get("allowed"):
            missing.append(right)
    return tuple(missing)


def rights_for(server: Server, manifest: Mapping[str, Any], verbs: Sequence[str], where: str | None = None) -> tuple[Right, ...]:
    """What an account must be allowed for one object; nothing for a kind that is not served."""
    resource = server.resource(manifest)
    if resource is None:
        return ()
    group, slash, _ = str(manifest.get("apiVersion")).partition("/")
    inside = (where or namespace(manifest) or server.home) if resource[1] else ""
    return tuple(Right(verb=verb, group=group if slash else "", resource=resource[0], namespace=inside) for verb in verbs)


def _permitted(server: Server, manifests: Sequence[Mapping[str, Any]], verbs: Sequence[str]) -> None:
    """ServerFault that names every right that is missing for any of the objects."""
    missing = lacking(server, [right for manifest in manifests for right in rights_for(server, manifest, verbs)])
    if missing:
        raise ServerFault(server.host, "this account may not " + ", ".join(map(str, missing)))


# ------------------------------------------------------------------ dry run


def dry_run(server: Server, manifests: Sequence[Mapping[str, Any]]) -> tuple[Judged, ...]:
    """What the server would say of each object, in their order; nothing is stored. Of what has no kind or no name it cannot be asked."""
    places = [_where(server, manifest) if _is_named(manifest) else None for manifest in manifests]
    wanted = [rights_for(server, m, ("create", "patch"), where) if _is_named(m) else () for m, where in zip(manifests, places, strict=True)]
    missing = set(lacking(server, [right for rights in wanted for right in rights]))
    judged = []
    for position, (manifest, where) in enumerate(zip(manifests, places, strict=True)):
        without_right = tuple(right for right in wanted[position] if right in missing)
        if not _is_named(manifest):
            judged.append(Judged(position=position))
        elif server.resource(manifest) is None:
            judged.append(Judged(position=position, unserved=True))
        elif without_right:
            judged.append(Judged(position=position, lacking=without_right, namespace=where))
        else:
            judged.append(_judged(server, position, manifest, where))
    return tuple(judged)


def _is_named(manifest: Mapping[str, Any]) -> bool:
    return bool(manifest.get("apiVersion") and manifest.get("kind") and name(manifest))


def _where(server: Server, manifest: Mapping[str, Any]) -> str | None:
    """The namespace to ask in instead of an object's own, None if that is there."""
    own = namespace(manifest)
    resource = server.resource(manifest)
    return STAND_IN if own and resource is not None and resource[1] and not server.has_namespace(own) else None


def _judged(server: Server, position: int, manifest: Mapping[str, Any], where: str | None) -> Judged:
    """All that is refused: what cannot be read is taken out and the rest asked for again, until nothing more is told."""
    told: list[Refusal] = []
    heard: list[str] = []
    asked: dict[str, Any] | None = dict(manifest)
    for _ in range(ASKS_AT_MOST):
        if asked is None:
            break
        answer = _dry(server, asked, where)
        heard += [text for text in answer.warnings if text not in heard]
        if answer.accepted:
            break
        unread = [refusal.path for refusal in told if not refusal.decoded]
        new = [r for r in refusals(answer.body, asked) if not any(is_below(r.path, path) for path in unread)]
        told += [refusal for refusal in new if refusal not in told]
        asked = without(asked, new)
    return Judged(position=position, refusals=tuple(told), warnings=tuple(heard), namespace=where)


def _dry(server: Server, manifest: Mapping[str, Any], where: str | None) -> Answer:
    """The dry run of an apply; in a namespace that stands in, where a foreign object of that name may be, of a creation.

    Lists that give a key twice can only be created or merged: `kubectl apply` takes them, and so does the server, with a warning.
    """
    query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": MANAGER}
    moved = manifest if where is None else {**manifest, "metadata": {**mapping(manifest.get("metadata")), "namespace": where}}
    path = server.path(moved, where)
    is_foreign = where is not None and server.ask("GET", path).code != 404
    if not is_foreign:
        answer = server.ask("PATCH", path, moved, query={**query, "force": "true"}, media=APPLY)
        if not (answer.code == 500 and _TWICE in str(answer.body.get("message"))):
            return answer
    answer = server.ask("POST", path.rpartition("/")[0], moved, query=query)
    if answer.code == 409 and is_foreign:  # refused values are told before
        return Answer(code=200, body={}, warnings=answer.warnings)
    return server.ask("PATCH", path, moved, query=query, media=MERGE) if answer.code == 409 else answer


def absent(server: Server, kind: tuple[str, str], called: str, where: str) -> bool:
    """Whether an object that must exist beforehand is not there; false too if the account may not look."""
    stub = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": called, "namespace": where}}
    return server.resource(stub) is not None and server.ask("GET", server.path(stub)).code == 404


# ------------------------------------------------------------------ apply, difference, status


def apply(server: Server, manifests: Sequence[Mapping[str, Any]], *, force: bool = False) -> tuple[Applied, ...]:
    """Apply the objects in their order (server side). `force` takes over fields that another program set; without it they are refused.

    ServerFault before anything is changed if a right is missing.
    """
    _permitted(server, manifests, ("get", "create", "patch"))
    return tuple(_applied(server, position, manifest, force) for position, manifest in enumerate(manifests))


def _applied(server: Server, position: int, manifest: Mapping[str, Any], force: bool) -> Applied:
    if server.resource(manifest) is None:
        text = f"{manifest.get('apiVersion')} {manifest.get('kind')} is not served"
        return Applied(position=position, outcome="refused", refusals=(Refusal(path=(), message=text, reason="NotFound", told_by=404),))
    path = server.path(manifest)
    before = server.ask("GET", path)
    query = {"fieldValidation": "Strict", "fieldManager": MANAGER, "force": str(force).lower()}
    answer = server.ask("PATCH", path, manifest, query=query, media=APPLY)
    if not answer.accepted:
        return Applied(position=position, outcome="refused", refusals=refusals(answer.body, manifest), warnings=answer.warnings)
    same = mapping(before.body.get("metadata")).get("resourceVersion") == mapping(answer.body.get("metadata")).get("resourceVersion")
    outcome = "created" if before.code == 404 else "unchanged" if same else "changed"
    return Applied(position=position, outcome=outcome, warnings=answer.warnings)


def diff(server: Server, manifests: Sequence[Mapping[str, Any]]) -> str:
    """What `apply` would change, as one unified difference; empty if nothing. Values of Secrets are not shown.

    ServerFault if a right is missing. Objects that would be refused, or whose namespace is not there, are shown as they are written.
    """
    _permitted(server, manifests, ("get", "create", "patch"))
    return "".join(text for manifest in manifests for text in _difference(server, manifest))


def _difference(server: Server, manifest: Mapping[str, Any]) -> Iterator[str]:
    title = f"{manifest.get('kind')}/{name(manifest)}"
    before, after = Answer(code=404, body={}), Answer(code=404, body={})
    if server.resource(manifest) is not None and _where(server, manifest) is None:
        before, after = server.ask("GET", server.path(manifest)), _dry(server, manifest, None)
    old = _shown(before.body) if before.accepted else []
    new = _shown(after.body if after.accepted else manifest)
    if manifest.get("kind") == "Secret":
        old, new = _veiled(before.body if before.accepted else {}, after.body if after.accepted else manifest)
    yield from difflib.unified_diff(old, new, f"cluster/{title}", f"manifests/{title}")


def _shown(thing: Mapping[str, Any]) -> list[str]:
    import yaml

    metadata = {key: value for key, value in mapping(thing.get("metadata")).items() if key not in _VOLATILE}
    kept = {**{key: value for key, value in thing.items() if key != "status"}, "metadata": metadata}
    return yaml.safe_dump(kept, sort_keys=True).splitlines(keepends=True)


def _veiled(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Both sides of a Secret with every value replaced: equal values by equal marks, different ones by different marks."""
    held = [{key: str(value) for part in ("data", "stringData") for key, value in mapping(side.get(part)).items()} for side in (old, new)]
    sides = []
    for side, values, mark in ((old, held[0], "*** (before)"), (new, held[1], "*** (after)")):
        same = {key: "***" if held[0].get(key) == held[1].get(key) else mark for key in values}
        rest = {key: value for key, value in side.items() if key not in {"data", "stringData"}}
        sides.append(_shown({**rest, "data": same}) if side else [])
    return sides[0], sides[1]


def status(server: Server, manifests: Sequence[Mapping[str, Any]]) -> tuple[Standing, ...]:
    """How far each object is, by the rules of `kubectl rollout status` for workloads. ServerFault if a right is missing."""
    _permitted(server, manifests, ("get",))
    return tuple(_standing(server, position, manifest) for position, manifest in enumerate(manifests))


def _standing(server: Server, position: int, manifest: Mapping[str, Any]) -> Standing:
    if server.resource(manifest) is None:
        return Standing(position=position, ready=False, message="its kind is not served")
    answer = server.ask("GET", server.path(manifest))
    if not answer.accepted:
        return Standing(position=position, ready=False, message="is not there")
    complaint = waiting_for(answer.body)
    return Standing(position=position, ready=not complaint, message=complaint or "ready")
