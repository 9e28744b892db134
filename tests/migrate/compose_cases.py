"""Generated Compose projects (hypothesis): services with values of every key in every form, one to three files, `extends`, `include`,
profiles, anchors, tags, documents, env files and the variables that steer all of it.

Most of a project is right; `oddity` says how often something is not. A failing project shrinks to its fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from tests.migrate.compose_values import RESOURCES, SERVICE, TEXTS, WRONG

SERVICES: Final = ("web", "b", "c")
_DECLARED: Final[Mapping[str, Mapping[str, str]]] = {
    "networks": {"n1": "", "n2": "ipam: {config: [{subnet: 10.2.0.0/24}]}"},
    "volumes": {"v1": "", "v2": "driver: x, labels: [a=b]"},
    "secrets": {"s1": "file: f", "s2": "environment: V"},
    "configs": {"c1": "file: ./f", "c2": "content: $V"},
    "models": {"m1": "model: ai/m"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One project and how it is loaded: texts by file name, the `-f` files (none: discovered), and the other options."""

    files: Mapping[str, str]
    names: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    name: str | None = "demo"
    env_files: tuple[str, ...] = ()
    project_directory: str | None = None

    def __str__(self) -> str:
        options = f"-f {self.names} -p {self.name} --profile {self.profiles} --env-file {self.env_files} in {self.project_directory}"
        options += f" with {dict(self.variables)}"
        return "\n".join([options, *(f"# --- {name}\n{text}" for name, text in self.files.items())])


# ------------------------------------------------------------------ texts with variables

NAMES: Final = st.sampled_from(("V", "N", "T", "U", "EMPTY", "DOT", "E1", "COMPOSE_PROJECT_NAME", "v", "_x1", "DOT2"))
_PLAIN: Final = st.sampled_from(
    ("a", "", "b c", "5", "$$", "x=y", "a:b", "/p", "-", "?", "+", "}", "{", "$1", "#", "é", "'", "5$", ":-", "a-b")
)


def _substituted(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from((":-", "-", ":+", "+", ":?", "?"))
    return st.builds(lambda name, sign, word: "${" + name + sign + word + "}", NAMES, operator, inner)


_WORDS: Final = st.one_of(_PLAIN, NAMES.map(lambda n: f"${n}"), NAMES.map(lambda n: "${" + n + "}"))
VARIABLE_TEXTS: Final = st.recursive(
    _WORDS, lambda inner: st.one_of(_substituted(inner), st.builds(str.__add__, inner, inner)), max_leaves=4
)


def quoted(text: str) -> str:
    """A text as a YAML scalar in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


_NUMBERS: Final = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"[-+]?[0-9][0-9_]{0,5}(\.[0-9]{0,4})?([eE][-+]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"0[xobXOB]?[0-9a-f_]{1,4}", fullmatch=True),
)
_ODD_SCALARS: Final = st.sampled_from(
    (
        "~",
        "null",
        "Null",
        "NULL",
        "tRUE",
        "TRUE",
        "False",
        "y",
        "no",
        "on",
        "=",
        "<<",
        "1:20",
        "1.2.3",
        "+",
        "-",
        ".",
        "0x",
        "1e",
        "._1",
        "-.5",
        "+.5e-3",
        "1e+",
        '""',
        "''",
        "!!str 5",
        "!x y",
    )
)
SCALARS: Final = st.one_of(_NUMBERS, _ODD_SCALARS, VARIABLE_TEXTS.map(quoted), st.sampled_from(TEXTS))

_ENV_TEXT: Final = st.text(st.sampled_from("ab1 =#'\"\\$n{}:-.\t"), max_size=8)
_ENV_NAME: Final = st.sampled_from(("A", "B", "E1", "V", "DOT", "a.b", "1A", "x-y", "A[0]", "é"))
_ENV_LINES: Final = st.one_of(
    st.builds("{}={}".format, _ENV_NAME, _ENV_TEXT),
    st.builds("{}='{}'".format, _ENV_NAME, st.text(st.sampled_from('ab $\\\n#"'), max_size=6)),
    st.builds('{}="{}"'.format, _ENV_NAME, st.text(st.sampled_from("ab $\\nt0157\n#'{}"), max_size=8)),
    st.builds("{}={}".format, _ENV_NAME, VARIABLE_TEXTS),
    st.builds("export {} = {} # c".format, _ENV_NAME, _ENV_TEXT),
    st.builds("{}: {}".format, _ENV_NAME, _ENV_TEXT),
    _ENV_NAME,
    st.sampled_from(
        (
            "# comment",
            "",
            "  ",
            "\tA=t",
            "A=a\r",
            "=x",
            "A B=c",
            "A!=1",
            "exportA=1",
            "export A=1",
            "A='x' y",
            "A=x#y",
            "A=x #y",
            "A=#y",
            "A= # y",
        )
    ),
)
_SOUND_LINES: Final = st.sampled_from(("A=a", "B=$A", "E='e'", 'export F="f $V"', "# x", "", "G=${U:-d} # c", "V=file", "H", "DOT=file"))


@st.composite
def env_texts(draw: st.DrawFn, oddity: int) -> str:
    """An env file."""
    odd = oddity and draw(st.integers(0, 3)) == 3
    return "\n".join(draw(st.lists(_ENV_LINES if odd else _SOUND_LINES, max_size=4))) + draw(st.sampled_from(("\n", "")))


# ------------------------------------------------------------------ services

_KEYS: Final = tuple(key for key, forms in SERVICE.items() if forms)


@st.composite
def values(draw: st.DrawFn, key: str, oddity: int, *, tags: bool) -> str:
    """What stands behind a key of a service."""
    forms = SERVICE[key]
    chance = draw(st.integers(0, 99))
    if chance >= 100 - oddity:
        return draw(st.sampled_from(WRONG))
    text = draw(st.sampled_from(forms))
    if key in ("environment", "labels", "annotations", "sysctls") and chance < 30:
        said = draw(st.lists(st.tuples(st.sampled_from(("a", "b", "V", "k.x")), SCALARS), max_size=3, unique_by=lambda pair: pair[0]))
        text = "{" + ", ".join(f"{name}: {value}" for name, value in said) + "}"
    elif key in ("user", "hostname", "working_dir", "command", "entrypoint") and chance < 20:
        text = quoted(draw(VARIABLE_TEXTS))
    elif key in ("command", "entrypoint") and chance < 40:
        text = quoted(draw(st.text(st.sampled_from("ab \\\"'`();|&<>12n\t\n"), max_size=8)))
    if tags and "\n" not in text and chance % 8 == 7:
        return draw(st.sampled_from((f"!override {text}", "!reset null", f"!reset {text}")))
    return text


@st.composite
def services(draw: st.DrawFn, pool: tuple[str, ...], oddity: int, *first: str, tags: bool = False) -> str:
    """The body of one service, a key a line."""
    keys = draw(st.lists(st.sampled_from(pool), max_size=6, unique=True))
    said = {line.partition(":")[0] for line in first}
    lines = [*first, *(f"{key}: {draw(values(key, oddity, tags=tags))}" for key in keys if key not in said)]
    return "".join(f"    {line}\n" for line in lines if line) or "    {}\n"


@st.composite
def resources(draw: st.DrawFn, section: str, oddity: int) -> str:
    """One top-level section with all its names, each with some keys."""
    text = f"{section}:\n"
    for name, said in _DECLARED[section].items():
        keys = draw(st.lists(st.sampled_from(tuple(RESOURCES[section])), max_size=2, unique=True)) if draw(st.booleans()) else []
        taken = [part.partition(":")[0].strip() for part in said.split(", ")]
        parts = [said] if said else []
        for key in keys:
            if key not in taken:
                odd = draw(st.integers(0, 99)) >= 100 - oddity
                parts.append(f"{key}: {draw(st.sampled_from(WRONG if odd else RESOURCES[section][key]))}")
        text += f"  {name}: {{{', '.join(parts)}}}\n" if parts else f"  {name}:\n"
    return text


_EXTENDS: Final = (
    "c",
    "{service: c}",
    "{file: base/e.yaml, service: e}",
    "{file: base/e.yaml, service: chain}",
    "{service: b}",
    "{file: e2.yaml, service: x}",
)
_HEAD: Final = (
    "", "", "x-base: &base {user: base, labels: {anchored: yes}}\n", "name: Shop-$V\n", "version: '3.8'\n",
    "x-a: &base {environment: {A: anchor}}\nx-b: [1, $V]\n",
    "# comment\n---\n", "\ufeff", "%YAML 1.2\n---\n",
)  # fmt: skip


@st.composite
def files_of(draw: st.DrawFn, number: int, pool: tuple[str, ...], oddity: int, *, include: str) -> str:
    """One Compose file; the first declares the resources and gives every service its image."""
    head = draw(st.sampled_from(_HEAD))
    text = head + include + "services:\n"
    for service in SERVICES:
        if number and service == "c" and draw(st.booleans()):
            continue
        first = [] if number else ["image: img"]
        if service == "web" and not number and draw(st.integers(0, 3)) == 3:
            first.append(f"extends: {draw(st.sampled_from(_EXTENDS))}")
        if "&base" in head and service == "web" and draw(st.booleans()):
            first.append(draw(st.sampled_from(("<<: *base", "x-c: *base", "<<: [*base]"))))
        text += f"  {service}:\n" + draw(services(pool, oddity, *first, tags=bool(number)))
    if not number:
        text += "".join(draw(resources(section, oddity)) for section in _DECLARED)
    return text


@st.composite
def cases(draw: st.DrawFn, oddity: int = 4) -> Case:
    """A project; `oddity` is the share of values in percent that are something else than their key wants."""
    pool = tuple(draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=10, unique=True)))
    count = draw(st.sampled_from((1, 1, 2, 2, 3)))
    include = draw(
        st.sampled_from(
            (
                "",
                "",
                "",
                "include: [inc/i.yaml]\n",
                "include: [{path: [inc/i.yaml, inc/o.yaml], env_file: a.env, project_directory: base}]\n",
                "include: [inc/i.yaml, {path: ./inc/i.yaml}]\n",
            )
        )
    )
    texts = [draw(files_of(number, pool, oddity, include=include if not number else "")) for number in range(count)]
    layout = draw(st.sampled_from(("given", "given", "discovered", "variable", "documents", "sub")))
    files, names, variables = _laid_out(layout, texts)
    for env in ("a.env", "b.env", "r.env"):
        if env != "r.env" or "format" in "".join(texts):
            files[env] = draw(env_texts(oddity))
    files |= {"base/a.env": "A=sub\n", "base/b.env": "B=sub\nA\n", "base/r.env": "R=\n"}
    if any("e.yaml" in text for text in texts):
        files["base/e.yaml"] = (
            "services:\n  e:\n" + draw(services(pool, oddity, "image: base")) + "  chain:\n" + draw(services(pool, oddity, "extends: e"))
        )
    if any("e2.yaml" in text for text in texts):
        files["e2.yaml"] = "services:\n  x:\n" + draw(services(pool, oddity, "extends: {file: base/e.yaml, service: e}"))
        files.setdefault("base/e.yaml", "services: {e: {image: base, env_file: a.env}}\n")
    if include:
        files["inc/i.yaml"] = "services:\n  inc:\n" + draw(
            services(tuple(key for key in pool if key not in _NAMING) or ("user",), oddity, "image: inc${DOT:-}")
        )
        files["inc/o.yaml"] = "services:\n  inc:\n" + draw(services(("environment", "labels", "user", "volumes"), oddity))
        files["inc/.env"] = "DOT=inc\nDOT2=$DOT\n"
    if draw(st.booleans()):
        files[".env"] = draw(
            st.sampled_from(("DOT=dot\n", "DOT=dot\nCOMPOSE_PROFILES=p2\n", "V=never\nDOT2=${V}x\n", "COMPOSE_PROJECT_NAME=fromdot\n"))
        ) + (draw(env_texts(oddity)) if oddity else "")
    variables |= draw(
        st.sampled_from(
            ({}, {}, {"COMPOSE_PROFILES": "p1"}, {"COMPOSE_PROJECT_NAME": "fromenv"}, {"DOT": "process"}, {"COMPOSE_DISABLE_ENV_FILE": "1"})
        )
    )
    return Case(
        files=files,
        names=names,
        variables=variables,
        profiles=draw(st.sampled_from(((), (), ("p1",), ("p2", "p3"), ("*",)))),
        name=draw(st.sampled_from(("demo", "demo", "demo", None))),
        env_files=draw(st.sampled_from(((), (), (), ("a.env",), ("a.env", "b.env")))),
        project_directory=draw(st.sampled_from((None, None, None, None, "base"))),
    )


_NAMING: Final = (
    "networks",
    "volumes",
    "secrets",
    "configs",
    "models",
    "depends_on",
    "links",
    "volumes_from",
    "network_mode",
    "ipc",
    "pid",
    "uts",
    "build",
    "container_name",
    "profiles",
    "deploy",
)


def _laid_out(layout: str, texts: list[str]) -> tuple[dict[str, str], tuple[str, ...], dict[str, str]]:
    """Where the files stand and how they are named to the program."""
    if layout == "discovered" and len(texts) <= 2:
        return dict(zip(("compose.yaml", "compose.override.yaml"), texts, strict=False)), (), {}
    if layout == "documents" and not any("%YAML" in text or "\ufeff" in text for text in texts):
        return {"all.yaml": "---\n".join(texts)}, ("all.yaml",), {}
    if layout == "sub" and len(texts) == 1:
        return {"compose.yaml": texts[0]}, ("./compose.yaml",), {}
    files = {f"f{number}.yaml": text for number, text in enumerate(texts)}
    if layout == "variable":
        return files, (), {"COMPOSE_FILE": ":".join(files)}
    return files, tuple(files), {}
