"""`migrate`: arguments -> verb -> print -> exit code. The only file that prints, reads the environment or exits.

Exit codes: 0 done; 1 done, with findings at or above `--fail-on`; 2 the input could not be used, the output could not be written, or the
command line was wrong (nothing written, nothing on standard output); 130 interrupted. Standard error carries findings, standard output
only the result.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

import migrate
from migrate.description import description
from migrate.findings import Finding, OutputError, Severity, Unusable, in_reading_order

if TYPE_CHECKING:
    from migrate.addresses.types import Addressing
    from migrate.plan.decision import Answers
    from migrate.report import Report
    from migrate.stack import Stack
    from migrate.verify.read import Manifests
    from migrate.write import Saved

DONE, FINDINGS, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
NOT_YET: Final = "is not there yet in this version"
_APPLIES: Final[Mapping[str, str]] = {
    "plain": "kubectl apply -f {0}",
    "kustomize": "kubectl apply -k {0}/base",
    "helm": "helm upgrade --install {1} {0}",
}
REPORTS: Final = (".txt", ".md", ".html", ".json", ".sarif")
PICTURES: Final = (".svg", ".png", ".dot", ".mmd")

Command = TypeVar("Command", bound=Callable[..., Any])


@description
class Sources:
    """Which Compose project: the options of `docker compose`, given before or after the command."""

    file: tuple[str, ...] = ()
    project_name: str | None = None
    profile: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    project_directory: str | None = None
    no_interpolate: bool = False

    def arguments(self) -> dict[str, Any]:
        """As `migrate.convert` takes them, with the process's environment and, for `-`, its standard input."""
        return {
            "files": self.file,
            "environment": dict(os.environ),
            "stdin": _standard_bytes() if "-" in self.file else None,
            "project_name": self.project_name,
            "profiles": self.profile,
            "env_files": self.env_file,
            "project_directory": self.project_directory,
            "interpolate": not self.no_interpolate,
        }


_SOURCE_OPTIONS: Final = (
    click.option("-f", "--file", multiple=True, metavar="FILE", help="Compose file; repeatable, - is standard input."),
    click.option("-p", "--project-name", metavar="NAME", help="Project name."),
    click.option("--profile", multiple=True, metavar="NAME", help="Profile to enable; repeatable."),
    click.option("--env-file", multiple=True, metavar="FILE", help="Environment file instead of .env; repeatable."),
    click.option("--project-directory", metavar="DIR", help="Directory that relative paths start from."),
    click.option("--no-interpolate", is_flag=True, help="Leave variables as they are."),
)
_SOURCE_NAMES: Final = ("file", "project_name", "profile", "env_file", "project_directory", "no_interpolate")


def from_sources(command: Command) -> Command:
    """Gives the command the options of `docker compose` and, as its first argument, the `Sources` made of them and of the group's."""

    @functools.wraps(command)
    def run(**options: Any) -> int:
        own = {name: options.pop(name) for name in _SOURCE_NAMES}
        code: int = command(_joined(click.get_current_context().obj, own), **options)
        return code

    wrapped: Any = run
    for option in reversed(_SOURCE_OPTIONS):
        wrapped = option(wrapped)
    result: Command = wrapped
    return result


def _joined(before: Mapping[str, Any], after: Mapping[str, Any]) -> Sources:
    said: dict[str, Any] = {}
    for name in _SOURCE_NAMES:
        first, second = before[name], after[name]
        said[name] = (*first, *second) if isinstance(second, tuple) else second or first
    return Sources(**said)


def told(command: Command) -> Command:
    """Options -v and -q, as an argument `verbosity` of 1, 0 or -1."""
    command = click.option("-v", "--verbose", "verbosity", flag_value=1, default=0, type=int, help="Show infos too.")(command)
    return click.option("-q", "--quiet", "verbosity", flag_value=-1, type=int, help="Show errors only.")(command)


def form(*forms: str, default: str) -> Callable[[Command], Command]:
    """Option --format with these values."""
    return click.option("--format", "form", type=click.Choice(forms), default=default, show_default=True, help="Form of the result.")


def to_addresses(command: Command) -> Command:
    """Options --addresses and --service-cidr."""
    modes = click.Choice(["names", "pin", "multus"])
    command = click.option("--service-cidr", metavar="CIDR", help="Range of cluster addresses, for --addresses pin.")(command)
    return click.option("--addresses", "mode", type=modes, help="What becomes of addresses.  [default: names]")(command)


target_version = click.option("--kubernetes-version", metavar="1.X", help="Version of the target cluster.  [default: 1.35]")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(migrate.__version__, message="migrate %(version)s")
@click.pass_context
def program(context: click.Context, /, **options: Any) -> None:
    """Convert Docker-as-VM Compose stacks to Kubernetes manifests, and tell what becomes of every fixed address."""
    context.obj = options


for _option in reversed(_SOURCE_OPTIONS):
    program = _option(program)


@program.command()
@from_sources
@click.option("-o", "--output", metavar="DIR", help="Write a file tree into DIR instead of one stream.")
@form("plain", "kustomize", "helm", default="plain")
@to_addresses
@click.option("--namespace", metavar="NAME", help="Namespace of all objects.  [default: the project's name]")
@target_version
@click.option("--plan", metavar="FILE", help="Answers that override the converter's decisions.")
@click.option("--write-plan", metavar="FILE", help="Write every decision with its reason, to be edited and given as --plan.")
@click.option("--report", multiple=True, metavar="FILE", help="Write a report: .txt .md .html .json .sarif; repeatable.")
@click.option("--fail-on", type=click.Choice(["error", "warning", "never"]), default="error", help="What gives status 1.  [default: error]")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.option("--diff", is_flag=True, help="Show what would change in DIR, and write nothing.")
@click.option("--force", is_flag=True, help="Write into a directory that this program did not write; files of others stay untouched.")
@told
def convert(sources: Sources, /, **options: Any) -> int:
    """Convert the stack: manifests on standard output, or a file tree with -o DIR."""
    _refuse_wrong_conversions(options)
    said = {"namespace": options["namespace"], "kubernetes_version": options["kubernetes_version"]}
    conversion = _converted(sources, options["plan"], **said, **_addressing(options))
    report = _report(conversion, sources, complete=bool(options["report"]))
    texts = _texts_to_write(conversion, report, options)
    result, saved = _deliver(conversion, texts, options)
    _say(conversion.findings, options["verbosity"])
    _summary(report, _next_step(options, saved, conversion.plan.namespace, conversion.answers.environments))
    _print(result)
    return _status(conversion.findings, options["fail_on"])


def _refuse_wrong_conversions(options: Mapping[str, Any]) -> None:
    """A command line that cannot be meant, or asks for what this version does not do, ends here with status 2."""
    if options["form"] != "plain" and options["output"] is None:
        raise click.UsageError(f"--format {options['form']} needs -o DIR: it is a tree of files")
    for name in options["report"]:
        if Path(name).suffix.lower() not in REPORTS:
            raise click.UsageError(f"--report {name}: the suffix must be one of {' '.join(REPORTS)}")
    if options["diff"] and options["output"] is None:
        raise click.UsageError("--diff needs -o DIR, the directory to compare with")
    plan, written = options["plan"], options["write_plan"]
    if written is not None and Path(written).exists() and not options["force"] and not (plan is not None and _same(written, plan)):
        raise click.UsageError(f"--write-plan {written}: the file exists and may hold answers; give it as --plan too, or --force")


def _addressing(options: Mapping[str, Any]) -> dict[str, Any]:
    """--addresses and --service-cidr as `migrate.convert` takes them; a range that no Service could be given an address of is refused."""
    if options["service_cidr"] is not None:
        from migrate.plan.pins import read_range

        try:
            read_range(options["service_cidr"])
        except ValueError as error:
            raise click.UsageError(f"--service-cidr {options['service_cidr']}: {error}") from None
    if options["mode"] == "pin" and options["service_cidr"] is None and options["plan"] is None:
        raise click.UsageError("--addresses pin needs --service-cidr, the range of the cluster's Services (as 10.96.0.0/12)")
    return {"addresses": options["mode"], "service_cidr": options["service_cidr"]}


def _same(one: str, other: str) -> bool:
    return Path(one).absolute() == Path(other).absolute()


def _texts_to_write(conversion: migrate.Conversion, report: Report, options: Mapping[str, Any]) -> dict[Path, str]:
    from migrate.report import render

    texts = {Path(name): render(report, name) for name in options["report"]}
    if options["write_plan"] is not None:
        from migrate.plan.written import write_plan

        texts[Path(options["write_plan"])] = write_plan(conversion.plan)
    return {} if options["dry_run"] or options["diff"] else texts


def _deliver(conversion: migrate.Conversion, texts: Mapping[Path, str], options: Mapping[str, Any]) -> tuple[str, Saved | None]:
    """Write what is to be written, all or nothing; what standard output gets, and what became of the tree."""
    from migrate.write import difference, dump_stream, save
    from migrate.write.texts import staged

    with staged(texts) as commit:
        saved = None
        if options["output"] is not None:
            tree = conversion.tree(options["form"])
            if options["diff"]:
                return difference(tree, options["output"]), None
            saved = save(tree, options["output"], force=options["force"], dry_run=options["dry_run"])
        commit()
    return ("" if saved is not None else dump_stream(conversion.manifests)), saved


def _next_step(options: Mapping[str, Any], saved: Saved | None, name: str, environments: Iterable[str]) -> str:
    if options["diff"]:
        return ""
    if saved is None:
        return "write them with -o DIR"
    folder = options["output"]
    changes = ", ".join(f"{len(names)} {what}" for what, names in saved.by_kind().items() if names)
    verb = "would be written" if options["dry_run"] else "written"
    following = "run it without --dry-run" if options["dry_run"] else _APPLIES[options["form"]].format(folder, name)
    return f"{folder} {verb} (files: {changes}). Next: {following}{_without_overlays(options, environments)}"


def _without_overlays(options: Mapping[str, Any], environments: Iterable[str]) -> str:
    """What the plan says of environments and this form does not write."""
    names = ", ".join(environments)
    if not names or options["form"] == "kustomize":
        return ""
    return f"; the environments of the plan ({names}) are overlays of --format kustomize and not in this tree"


@program.command()
@from_sources
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@form("yaml", "json", default="yaml")
@click.option("--services", "listing", flag_value="services", help="Print the names of the services, one a line.")
@click.option("--images", "listing", flag_value="images", help="Print the names of the images.")
@click.option("--networks", "listing", flag_value="networks", help="Print the names of the networks.")
@click.option("--volumes", "listing", flag_value="volumes", help="Print the names of the volumes.")
@click.option("--profiles", "listing", flag_value="profiles", help="Print the names of the profiles.")
@click.option("--all-resources", is_flag=True, help="Include resources that no service uses.")
@click.option("-o", "--output", metavar="FILE", help="Write the project into FILE.")
@told
def config(sources: Sources, /, services: tuple[str, ...], form: str, verbosity: int | None, **options: Any) -> int:
    """The canonical project, comparable with `docker compose config`; with SERVICE only these and what they need."""
    from migrate import compose
    from migrate.compose.listing import NoSuchService

    said = sources.arguments()
    said |= {"wanted": services, "listing": options["listing"], "all_resources": options["all_resources"]}
    try:
        text, findings = compose.config(said.pop("files"), form, directory=Path(), **said)
    except NoSuchService as unknown:
        raise click.UsageError(f"no such service: {unknown}") from None
    _say(findings, verbosity)
    if options["output"] is None:
        _print(text)
    else:
        from migrate.write.texts import staged

        with staged({Path(options["output"]): text}) as commit:
            commit()
    return _status(findings, "error")


@program.command()
@from_sources
@form("table", "json", default="table")
@told
def inspect(sources: Sources, /, form: str, verbosity: int | None) -> int:
    """What the stack means: services, names, addresses, who calls whom, start order, risks."""
    from migrate.report import inspection

    conversion = _converted(sources)
    data = inspection.inspection(conversion)
    _hint(conversion.findings, verbosity)
    _print(_json(data) if form == "json" else inspection.tables(data, width=_width()))
    return _status(conversion.findings, "error")


@program.command()
@from_sources
@form("table", "json", default="table")
@to_addresses
@click.option("--plan", metavar="FILE", help="Answers that override the converter's decisions.")
@told
def addresses(sources: Sources, /, form: str, verbosity: int | None, **options: Any) -> int:
    """Every fixed address: its owner, every use of it, and what becomes of it."""
    from migrate.report import inspection
    from migrate.report.data import addresses_data

    conversion = _converted(sources, options["plan"], **_addressing(options))
    data = addresses_data(conversion.addresses, _base(conversion.project.directory))
    _hint(conversion.findings, verbosity)
    table = form != "json"
    _print(inspection.address_table(data, width=_width(), everything=(verbosity or 0) > 0) if table else _json(data))
    return _status(conversion.findings, "error")


@program.command()
@from_sources
@click.option("-o", "--output", metavar="FILE", help="Write a picture: .svg .dot .mmd.")
@told
def graph(sources: Sources, /, output: str | None, verbosity: int | None) -> int:
    """The dependency graph with networks and cutover waves; Mermaid if no -o."""
    from migrate import graph as graphs
    from migrate.report.picture import svg
    from migrate.write.texts import staged

    suffix = Path(output).suffix.lower() if output is not None else ".mmd"
    if suffix not in PICTURES:
        raise click.UsageError(f"-o {output}: the suffix must be one of {' '.join(PICTURES)}")
    forms = {".mmd": graphs.to_mermaid, ".dot": graphs.to_dot, ".svg": svg}
    if suffix not in forms:
        raise click.UsageError(f"-o {output}: a picture as {suffix} {NOT_YET}")
    conversion = _converted(sources)
    text = _cleaned(forms[suffix](conversion.graph))
    _hint(conversion.findings, verbosity)
    if output is None:
        _print(text)
    else:
        with staged({Path(output): text}) as commit:
            commit()
    return _status(conversion.findings, "error")


@program.command()
@from_sources
@click.option("--plan", metavar="FILE", help="Answers that override the converter's decisions.")
@told
def scenario(sources: Sources, /, plan: str | None, verbosity: int | None) -> int:
    """A draft scenario.yaml that `simulate run` takes as it is, guesses marked as guesses."""
    from migrate.scenario import draft_text

    conversion = _converted(sources, plan)
    _hint(conversion.findings, verbosity)
    _print(draft_text(conversion.scenario))
    return _status(conversion.findings, "error")


@program.command()
@click.argument("manifests", metavar="DIR|FILE|-")
@from_sources
@click.option("--external", multiple=True, metavar="KIND/NAME", help="An object that the cluster has already; repeatable.")
@click.option("--server", is_flag=True, help="Add a dry run on a real API server.")
@click.option("--upgrade", is_flag=True, help="Print the manifests, those of removed APIs written anew; findings go to standard error.")
@target_version
@form("text", "json", default="text")
@told
def verify(sources: Sources, /, manifests: str, external: tuple[str, ...], server: bool, form: str, **options: Any) -> int:
    """Manifests against the Kubernetes schemas and each other, and the old network against the new where a Compose file is found."""
    from migrate.report.data import json_text
    from migrate.verify import read
    from migrate.verify.server import merged

    _check_kinds(external)
    if options["upgrade"] and form != "text":
        raise click.UsageError("--upgrade prints manifests: --format json cannot be given beside it")
    version = _version(options["kubernetes_version"]) or "1.35"
    found = read.read_manifests(manifests, _standard_input if manifests == "-" else None)
    if options["upgrade"]:
        found = read.upgraded(found, version)
    beside: list[migrate.Conversion] = []

    def compose(answers: Answers | None) -> tuple[Stack, Addressing, Answers] | None:
        beside.extend(_compose_beside(sources, answers))
        return next(((one.stack, one.plan.addressing, one.plan.answers) for one in beside), None)

    result = read.verified(found, version, external, compose)
    of_server, sentence = _of_server(found, external, beside) if server else ((), "")
    findings = in_reading_order(merged(result.findings, of_server))
    report = _verification(findings, manifests)
    if options["upgrade"]:
        from migrate.write import dump_stream

        _say(findings, options["verbosity"])
        _print(dump_stream(found.objects))
    else:
        _print(json_text(report) if form == "json" else _told_text(findings, options["verbosity"]))
    _summary(report, "; ".join(part for part in (result.network, sentence) if part))
    return _status(findings, "error")


def _of_server(found: Manifests, external: tuple[str, ...], beside: Sequence[migrate.Conversion]) -> tuple[tuple[Finding, ...], str]:
    """What the API server of the kubeconfig says of the objects, and in a few words which server that was."""
    from migrate import live
    from migrate.verify import read
    from migrate.verify.origins import Origins
    from migrate.verify.server import absences, elsewhere
    from migrate.verify.server import findings as told

    server = live.connect(os.environ.get("KUBECONFIG"))
    judged = live.dry_run(server, found.objects)
    same = [one for one in beside if read.same_project(found, one.project.name)]
    origins = Origins(project=same[0].project, plan=same[0].plan) if same else None
    findings = (
        *told(judged, found.objects, found.places, origins),
        *elsewhere(judged, found.objects),
        *absences(found.objects, found.places, origins, external, functools.partial(live.absent, server)),
    )
    return findings, f"{len(found.objects)} objects judged by the API server {server.version()}"


def _check_kinds(external: Iterable[str]) -> None:
    for text in external:
        if not all(text.partition("/")):
            raise click.UsageError(f"--external {text}: must be KIND/NAME, as in secret/db-password")


def _compose_beside(sources: Sources, answers: Answers | None) -> tuple[migrate.Conversion, ...]:
    """The conversion of the Compose file that was given, or of one found here; none without one."""
    if sources == Sources():
        names = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
        if not any(Path(name).is_file() for name in names):
            return ()
    return (_converted(sources, answers),)


@program.command()
@click.argument("code", required=False)
@form("text", "json", default="text")
def rules(code: str | None, form: str) -> int:
    """The catalogue of findings: what each sees, why it matters, what to do."""
    from migrate import rules as catalogue

    try:
        chosen = catalogue.select(code)
    except KeyError as error:
        raise click.UsageError(str(error.args[0])) from None
    _print(_json(catalogue.as_data(chosen)) if form == "json" else catalogue.as_text(chosen, alone=code is not None))
    return DONE


def _converted(
    sources: Sources, plan: str | Answers | None = None, kubernetes_version: str | None = None, **said: Any
) -> migrate.Conversion:
    return migrate.convert(**sources.arguments(), plan=plan, kubernetes_version=_version(kubernetes_version), **said)


def _version(text: str | None) -> str | None:
    """The version as 1.X, checked against the schemas that are there."""
    if text is None:
        return None
    from migrate.verify.schema import versions

    short = ".".join(text.removeprefix("v").split(".")[:2])
    if short not in versions():
        raise click.UsageError(f"--kubernetes-version {text}: must be from {versions()[0]} to {versions()[-1]}")
    return short


def _base(directory: Path) -> str:
    """The project directory as findings name files: from here if it is here or below, else absolute."""
    here = Path.cwd()
    return directory.relative_to(here).as_posix() if directory.is_relative_to(here) else directory.as_posix()


def _report(conversion: migrate.Conversion, sources: Sources, *, complete: bool) -> Report:
    from migrate.report import Report

    if complete:
        from migrate.report.changes import changes_of
        from migrate.report.running import running
    kinds = [manifest["kind"] for manifest in conversion.manifests]
    return Report(
        project=conversion.project.name,
        program=migrate.__version__,
        findings=conversion.findings,
        addresses=conversion.addresses,
        decisions=conversion.decisions,
        files=sources.file or tuple(os.path.relpath(file) for file in conversion.project.files),
        base=_base(conversion.project.directory),
        objects={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        services=len(conversion.project.services),
        changes=changes_of(conversion.stack, conversion.plan.addressing) if complete else (),
        names={key: service.object_name for key, service in conversion.plan.services.items()},
        ports={key: tuple(p.port for p in s.service.ports) for key, s in conversion.plan.services.items() if s.service is not None},
        running=running(conversion.manifests) if complete else (),
    )


def _verification(findings: tuple[Finding, ...], manifests: str) -> Report:
    from migrate.report import Report

    return Report(project=manifests, program=migrate.__version__, findings=findings)


def _json(data: Any) -> str:
    import json

    return json.dumps(data, indent=2) + "\n"


def _status(findings: Iterable[Finding], fail_on: str) -> int:
    failing = {"error": (Severity.ERROR,), "warning": (Severity.ERROR, Severity.WARNING), "never": ()}[fail_on]
    return FINDINGS if any(finding.severity in failing for finding in findings) else DONE


# ------------------------------------------------------------------ the two streams


def _standard_input() -> str:
    try:
        return _standard_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OutputError("standard input", f"is not UTF-8 (byte {error.start})") from None


def _standard_bytes() -> bytes:
    if sys.stdin is None:
        raise OutputError("standard input", "is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise OutputError("standard input", error.strerror or str(error)) from None


def _colour() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    """Columns of the terminal; far more where standard output is none, so that nothing is cut."""
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else 400


def _told_text(findings: Iterable[Finding], verbosity: int | None) -> str:
    from migrate.report import terminal

    return terminal(findings, verbosity=verbosity or 0, colour=_colour() and sys.stdout is not None and sys.stdout.isatty())


def _say(findings: Iterable[Finding], verbosity: int | None) -> None:
    from migrate.report.plain_text import SHOWN, terminal

    _error(terminal(findings, verbosity=verbosity or 0, colour=_colour(), shown=SHOWN))


def _hint(findings: Sequence[Finding], verbosity: int | None) -> None:
    """Of a command that is not about findings: errors, and where the others are told."""
    _say(findings, verbosity or -1)
    from migrate.report import counted

    if findings and not verbosity:
        _error(f"{counted(findings)}; `migrate convert` and -v tell them\n")


def _summary(report: Report, following: str) -> None:
    from migrate.report.plain_text import one_line, summary

    _error(one_line("; ".join(part for part in (summary(report), following) if part)) + "\n")


def _error(text: str) -> None:
    """Where standard error is closed or full there is nobody left to tell."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _print(text: str) -> None:
    """The result, always UTF-8; a closed pipe is the reader's will and no fault."""
    if sys.stdout is None:
        raise OutputError("standard output", "is closed")
    try:
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise OutputError("standard output", error.strerror or str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; whatever happens, no traceback reaches the user."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000, *thresholds[1:])  # a short process: looking for garbage among its imports costs a twentieth of its time
    try:
        return _run(arguments)
    finally:
        gc.set_threshold(*thresholds)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = program.main(args=None if arguments is None else list(arguments), prog_name="migrate", standalone_mode=False)
    except click.ClickException as error:
        return _wrong(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Unusable as error:
        _say(error.findings, 0)
        from migrate.report.content import counted

        _error(f"migrate: nothing to convert: {counted(error.findings)}\n")
        return UNUSABLE
    except OutputError as error:
        _error(_cleaned(f"migrate: {error}\n"))
        return UNUSABLE
    except Exception as error:
        _error(_cleaned(f"migrate: {_bug(error)}\n"))
        return UNUSABLE
    return code if isinstance(code, int) else DONE


def _bug(error: Exception) -> str:
    """A fault of this program in one line, with its place; never a traceback, and no value of the input."""
    import traceback

    frames = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}migrate{os.sep}" in f.filename]
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a fault of this program ({type(error).__name__}{place}); nothing was written. Please report it with the input"


def _cleaned(text: str) -> str:
    from migrate.report import clean

    return clean(text)


def _wrong(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    name = context.command_path if context is not None else "migrate"
    _error(_cleaned(f"{name}: {error.format_message()}\nTry '{name} --help'.\n"))
    return UNUSABLE
