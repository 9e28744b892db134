"""The dumper is read back alike by another reader; a tree appears whole or not at all, and touches nothing of others."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.findings import OutputError
from migrate.source import read_yaml
from migrate.write import File, FileTree, difference, dump, dump_stream, plain, save
from migrate.write.texts import staged
from migrate.write.tree import NOTES

AMBIGUOUS = [
    "y",
    "n",
    "Y",
    "N",
    "1e3",
    "1E5",
    "1e-7",
    "12e03",
    "08",
    "089",
    "0o14",
    "0O7",
    "0X1F",
    "0B1",
    "-.5",
    "+.5",
    "on",
    "Yes",
    "~",
    "",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from([*AMBIGUOUS, "- a", "a: b", "a #b", "22:22"])
PLAIN_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(PLAIN_DATA)
def test_what_was_dumped_is_read_back_by_two_readers(value: object) -> None:
    text = dump(value)
    assert yaml.safe_load(text) == value
    documents, faults = read_yaml(text, "x")
    assert documents[0].plain() == value and not faults


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_texts_that_other_readers_take_for_something_else_are_quoted(text: str) -> None:
    assert dump({"a": text}) == f'a: "{text}"\n'
    assert dump({text: "a"}) == f'"{text}": a\n'


def test_no_control_character_is_written() -> None:
    text = dump({"a": "\x1b[31m\x00\x9b\u202e", "b": "x\n\x07\n"})
    assert all(character == "\n" or character.isprintable() for character in text)


def test_texts_of_several_lines_are_blocks_that_keep_their_end() -> None:
    assert dump({"a": "x\n  y\n"}) == "a: |\n  x\n    y\n"
    assert dump({"a": "x\ny"}) == "a: |-\n  x\n  y\n"
    assert yaml.safe_load(dump({"a": ["x\ny\n\n", "z"]})) == {"a": ["x\ny\n\n", "z"]}


def test_objects_begin_with_their_type() -> None:
    text = dump_stream([{"spec": {}, "metadata": {"name": "a"}, "kind": "K", "apiVersion": "v1"}])
    assert text.splitlines()[:3] == ["apiVersion: v1", "kind: K", "metadata:"]


def tree(**files: str) -> FileTree:
    return FileTree(files={name.replace("_", "-") + ".yaml": File(text=text) for name, text in files.items()})


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_second_run_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    first = save(tree(a="1\n", b="2\n"), folder)
    assert first.created == ("a.yaml", "b.yaml")
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    second = save(tree(a="1\n", b="2\n"), folder)
    assert not second.writes and second.unchanged == ("a.yaml", "b.yaml")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == times


def test_own_files_go_and_files_of_others_stay(tmp_path: Path) -> None:
    save(tree(a="1\n", b="2\n"), tmp_path / "out")
    (tmp_path / "out" / "mine.yaml").write_text("mine\n")
    saved = save(tree(a="3\n", c="4\n"), tmp_path / "out")
    assert (saved.created, saved.changed, saved.removed) == (("c.yaml",), ("a.yaml",), ("b.yaml",))
    left = contents(tmp_path / "out")
    assert {name: text for name, text in left.items() if name != NOTES} == {"a.yaml": "3\n", "c.yaml": "4\n", "mine.yaml": "mine\n"}


def test_a_folder_of_others_is_refused_and_with_force_nothing_in_it_is_touched(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("theirs\n")
    with pytest.raises(OutputError, match="not empty"):
        save(tree(b="2\n"), tmp_path)
    save(tree(b="2\n"), tmp_path, force=True)
    with pytest.raises(OutputError, match="not written by this program"):
        save(tree(a="1\n"), tmp_path, force=True)
    assert (tmp_path / "a.yaml").read_text() == "theirs\n"


def test_an_edit_is_overwritten_only_with_force(tmp_path: Path) -> None:
    save(tree(a="1\n"), tmp_path / "out")
    (tmp_path / "out" / "a.yaml").write_text("edited\n")
    with pytest.raises(OutputError, match="changed since"):
        save(tree(a="2\n"), tmp_path / "out")
    assert "-edited\n+2\n" in difference(tree(a="2\n"), tmp_path / "out")
    save(tree(a="2\n"), tmp_path / "out", force=True)
    assert (tmp_path / "out" / "a.yaml").read_text() == "2\n"


@pytest.mark.parametrize("existing", [False, True])
def test_nothing_is_left_of_a_writing_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool) -> None:
    folder = tmp_path / "up" / "out"
    if existing:
        save(tree(a="1\n", b="2\n"), folder)
    before = contents(tmp_path)
    renamed = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if not existing or path.name == "c.yaml":
            raise OSError(28, "No space left on device", str(target))
        return renamed(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match="No space left"):
        save(tree(a="new\n", c="3\n"), folder)
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert (tmp_path / "up").exists() == existing


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert save(tree(a="1\n"), tmp_path / "out", dry_run=True).created == ("a.yaml",)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="not a directory"):
        save(tree(a="1\n"), tmp_path / "out")


def test_plain_tree_keeps_secrets_apart_and_only_manifests_look_like_manifests(tmp_path: Path) -> None:
    def thing(kind: str, name: str, **more: object) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}

    def workload(name: str, *maps: str) -> dict[str, object]:
        volumes = [{"name": m, "configMap": {"name": m}} for m in maps]
        return thing("Deployment", name, spec={"template": {"metadata": {"labels": {"app": name}}, "spec": {"volumes": volumes}}})

    manifests = [
        thing("Namespace", "shop"),
        thing("Secret", "db-password"),
        thing("ConfigMap", "both"),
        thing("ConfigMap", "one"),
        thing("Service", "web", spec={"selector": {"app": "web"}}),
        thing("Service", "alias", spec={"selector": {"app": "web"}}),
        workload("web", "both", "one"),
        workload("db", "both"),
        thing("NetworkPolicy", "net"),
    ]
    written = plain(manifests)
    names = ["00-namespace", "05-secrets", "10-shared", "20-db", "20-web", "90-network"]
    assert list(written.files) == [*(f"{name}.yaml" for name in names), ".gitignore"]
    kinds = {name: [d["kind"] for d in yaml.safe_load_all(file.text)] for name, file in written.files.items() if name.endswith(".yaml")}
    assert kinds["20-web.yaml"] == ["ConfigMap", "Service", "Service", "Deployment"] and kinds["10-shared.yaml"] == ["ConfigMap"]
    save(written, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out" / "05-secrets.yaml").stat().st_mode) == 0o600
    assert (tmp_path / "out" / ".gitignore").read_text() == "05-secrets.yaml\n"
    assert all(yaml.safe_load_all(p.read_text()) for p in (tmp_path / "out").iterdir() if p.suffix in (".yaml", ".yml", ".json"))
    assert Path(NOTES).suffix == ""


def test_texts_are_put_in_place_together(tmp_path: Path) -> None:
    targets = {tmp_path / "r" / "a.md": "a\n", tmp_path / "b.json": "{}\n"}
    with pytest.raises(OutputError), staged(targets | {tmp_path: "x"}):
        pass
    with staged(targets):
        pass
    assert list(tmp_path.iterdir()) == []
    with staged(targets) as commit:
        commit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "r"] and (tmp_path / "r" / "a.md").read_text() == "a\n"
