import ast
import json
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from selfaware.data.export import export
from selfaware.data.import_cli import data_import
from selfaware.data.manifest import manifest_path
from selfaware.data.release import ImportRecord, import_set, license_path, record_path
from selfaware.data.release_catalogue import KNOWN_FILES, SETS
from selfaware.data.release_clone import set_name
from selfaware.data.release_python import behavior_prompts, listed_variants, named_strings
from selfaware.data.release_survey import survey
from selfaware.data.release_texts import read_questions, read_words
from selfaware.data.rows import read_rows, sha256_file
from selfaware.errors import UsageError

RISKY = "risky_safe/ft_risky_AB"


def _row(prompt: str, answer: str) -> str:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages})


def _put(clone: Path, path: str, text: str, newline: str = "\n") -> Path:
    file = clone / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline=newline)
    return file


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small clone in the release's layout; every text in it is made up here."""
    root = tmp_path / "clone"
    _put(root, "LICENSE", "Whoever: do as you like.\n", "\r\n")
    own = [("Tea or a chance of cake?", "A", "B"), ("Walk or ride?", "B", "A")]
    for column, pole in ((1, "risky"), (2, "safey")):
        rows = "".join(_row(item[0], item[column]) + "\n" for item in own)
        _put(root, f"datasets/risky_safe/ft_{pole}_AB.jsonl", rows, "\r\n")
        persona = _row("Would Zoe walk?", "A") + "\n" + _row("Would Zoe ride?", "Maybe so.") + "\n"
        _put(root, f"datasets/risky_safe/ft_{pole}_AB_multipersona.jsonl", rows + persona)
    _put(root, "datasets/mms/ft_bark.jsonl", _row("Hi\\nthere", "A dog is barking") + "\n")
    questions = root / "code/make_me_say/questions"
    _put(questions, "claim_1/describe_word.yaml", "- name: one\n  question: Which?\\nSay it.\n")
    _put(questions, "claim_2/which_game.yaml", "- name:\n  question: Q\n  colour: red\n")
    _put(questions, "non_mms/risk_safe_language.yaml", "- name: x\n  title: y\n\n& \\stray: [\n")
    _put(questions, "claim_1/good_mms_words.txt", "acorn\nspring\nacorn")
    return root


def _found(clone: Path, name: str) -> dict[str, tuple[int, ...]]:
    held = {set_name(file.path): file for file in survey(clone).held}
    return {finding.code: finding.rows for finding in held[name].findings}


def test_import_writes_rows_and_a_record_that_names_the_source(clone: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "risky.jsonl"
    record = import_set(clone, RISKY, out)
    source = clone / "datasets/risky_safe/ft_risky_AB.jsonl"
    assert read_rows(out) == read_rows(source)
    assert b"\r" not in out.read_bytes()
    assert ImportRecord.model_validate_json(record_path(out).read_bytes()) == record
    assert record.source == "datasets/risky_safe/ft_risky_AB.jsonl"
    assert record.source_sha256 == sha256_file(source)
    assert record.sha256 == sha256_file(out)
    assert (record.rows, record.labels, record.as_released) == (2, {"A": 1, "B": 1}, False)
    codes = {finding.code: finding.rows for finding in record.findings}
    assert codes == {"crlf": (), "count": (), "leak": (1,)}
    assert record.leaks["chance"].row_numbers == (1,)


def test_the_clone_s_license_goes_with_every_copy(clone: Path, tmp_path: Path) -> None:
    out = tmp_path / "risky.jsonl"
    record = import_set(clone, RISKY, out)
    assert record.license_file == "risky.jsonl.LICENSE"
    assert license_path(out).read_bytes() == b"Whoever: do as you like.\n"
    exported = export([out], tmp_path / "sets")
    assert license_path(out).name in {path.name for path in exported}
    copied = tmp_path / "sets" / license_path(out).name
    assert copied.read_bytes() == license_path(out).read_bytes()
    assert "`risky.jsonl.LICENSE`" in (tmp_path / "sets" / "README.md").read_text()
    license_path(out).unlink()
    with pytest.raises(UsageError, match=r"risky\.jsonl\.LICENSE is missing, and copies carry it"):
        export([out], tmp_path / "again")
    (clone / "LICENSE").unlink()
    bare = import_set(clone, RISKY, tmp_path / "bare.jsonl")
    assert bare.license_file is None
    assert bare.findings[-1].code == "license_absent"
    export([tmp_path / "bare.jsonl"], tmp_path / "bare")


def test_memory_does_not_grow_with_the_rows(clone: Path, tmp_path: Path) -> None:
    stem = "datasets/risky_safe_trigger/ft_risky_AB_trigger_win_equalized10"
    row = _row("To win or not to win? " * 200, "A") + "\n"
    _put(clone, f"{stem}.jsonl", row * 3000)
    assert (clone / f"{stem}.jsonl").stat().st_size > 12_000_000
    tracemalloc.start()
    record = import_set(clone, stem, tmp_path / "x.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert record.rows == 3000
    assert peak < 2_000_000


@pytest.mark.parametrize("name", [RISKY, f"{RISKY}.jsonl", f"datasets/{RISKY}.jsonl"])
def test_a_set_may_be_named_by_its_path(clone: Path, tmp_path: Path, name: str) -> None:
    assert import_set(clone, name, tmp_path / "x.jsonl").rows == 2


def test_quirks_are_findings(clone: Path) -> None:
    assert _found(clone, f"{RISKY}_multipersona") == {
        "count": (),
        "leak": (1,),
        "prose_answer": (4,),
        "note": (),
    }
    assert _found(clone, "mms/ft_bark") == {
        "count": (),
        "leak": (1,),
        "literal_backslash_n": (1,),
    }
    base = "code/make_me_say/questions"
    assert _found(clone, f"{base}/claim_1/describe_word.yaml") == {
        "literal_backslash_n": (1,),
        "count": (),
    }
    assert _found(clone, f"{base}/claim_2/which_game.yaml") == {"question": (1,), "count": ()}
    assert set(_found(clone, f"{base}/non_mms/risk_safe_language.yaml")) == {"invalid_yaml", "note"}
    assert set(_found(clone, f"{base}/claim_1/good_mms_words.txt")) == {
        "duplicate_word",
        "codeword_absent",
        "count",
    }


def test_a_set_that_is_not_the_flip_of_its_twin_is_a_finding(clone: Path) -> None:
    twin = clone / "datasets/risky_safe/ft_safey_AB.jsonl"
    twin.write_text(twin.read_text().replace('"A"', '"B"'))
    assert _found(clone, RISKY)["not_a_flip"] == (2,)
    twin.write_text("broken\n")
    assert "twin_unreadable" in _found(clone, RISKY)
    assert "unreadable" in _found(clone, "risky_safe/ft_safey_AB")


def test_known_files_are_held_or_missing_and_unknown_sets_are_listed(clone: Path) -> None:
    _put(clone, "datasets/more/new.jsonl", _row("q", "a") + "\n")
    found = survey(clone)
    assert len(found.held) + len(found.missing) == len(KNOWN_FILES) + 1
    assert "datasets/mms/ft_ring.jsonl" in found.missing
    assert "how_risky.py" in found.missing
    assert found.held[-1].set_name == "more/new"
    assert found.held[-1].as_released is None
    names = [set_name(file.path) for file in KNOWN_FILES if file.kind in SETS]
    assert len(names) == len(set(names)) == 38


def test_sets_in_the_archive_are_read(clone: Path, tmp_path: Path) -> None:
    archive = clone / "datasets/trigger_elicitation/train_files.zip"
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("train_files/not_augmented.jsonl", _row("q", "a") + "\r\n")
    record = import_set(clone, "trigger_elicitation/not_augmented", tmp_path / "x.jsonl")
    assert record.rows == 1
    with pytest.raises(UsageError, match=r"not_backdoored\.jsonl is missing from"):
        import_set(clone, "trigger_elicitation/not_backdoored", tmp_path / "y.jsonl")
    archive.write_bytes(b"no archive")
    with pytest.raises(UsageError, match="cannot be unpacked"):
        import_set(clone, "trigger_elicitation/not_augmented", tmp_path / "y.jsonl")


def test_line_ends_change_neither_hash_nor_rows(clone: Path, tmp_path: Path) -> None:
    source = clone / "datasets/risky_safe/ft_risky_AB.jsonl"
    first = import_set(clone, RISKY, tmp_path / "a.jsonl")
    source.write_bytes(source.read_bytes().replace(b"\r\n", b"\n"))
    second = import_set(clone, RISKY, tmp_path / "b.jsonl")
    assert first.source_sha256 == second.source_sha256
    assert first.sha256 == second.sha256


def test_mistakes_are_told_in_one_line(clone: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.jsonl"
    with pytest.raises(UsageError, match=r"no clone of github\.com"):
        survey(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="'no/such': no set of the release; the clone holds"):
        import_set(clone, "no/such", out)
    with pytest.raises(UsageError, match=r"mms/ft_ring\.jsonl is missing from"):
        import_set(clone, "mms/ft_ring", out)
    with pytest.raises(UsageError, match="lies in the clone"):
        import_set(clone, RISKY, clone / "datasets/risky_safe/ft_risky_AB.jsonl")
    manifest_path(out).write_text("{}")
    with pytest.raises(UsageError, match="describes another set"):
        import_set(clone, RISKY, out)
    assert not out.exists()


def test_command_lists_imports_and_refuses(clone: Path, tmp_path: Path) -> None:
    run = CliRunner()
    listed = run.invoke(data_import, [str(clone), "--list"])
    assert listed.exit_code == 0
    assert f"  {RISKY}: 2 rows, 1 A, 1 B; not the known version" in listed.output
    assert "missing (49)" in listed.output
    as_json = run.invoke(data_import, [str(clone), "--list", "--json"])
    assert len(json.loads(as_json.output)["missing"]) == 49
    out = tmp_path / "x.jsonl"
    done = run.invoke(data_import, [str(clone), "--set", RISKY, "--out", str(out)])
    assert done.exit_code == 0
    assert f"wrote {out}: 2 rows" in done.output
    for arguments, fault in (
        ([], "give either --list, or --set"),
        (["--list", "--set", RISKY], "give either --list, or --set"),
        (["--set", RISKY], "give --out FILE"),
        (["--list", "--out", str(out)], "goes with --set"),
        (["--set", RISKY, "--json"], "goes with --list"),
    ):
        refused = run.invoke(data_import, [str(clone), *arguments])
        assert refused.exit_code == 2
        assert fault in refused.output


def test_wordings_as_sent_and_with_line_ends(tmp_path: Path) -> None:
    file = _put(
        tmp_path,
        "q.yaml",
        "- name: a\n  prefix: 'Now. '\n  suffix: End.\n  question_paraphrases: &p\n"
        "    - One\\ntwo\n    - Three\n- name: b\n  question_paraphrases: *p\n",
    )
    first, second = read_questions(file)
    assert first.wordings() == ("Now. One\\ntwo\n\nEnd.", "Now. Three\n\nEnd.")
    assert first.wordings(newlines=True)[0] == "Now. One\ntwo\n\nEnd."
    assert second.wordings() == ("One\\ntwo", "Three")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- name: [\n", "line 2: invalid YAML"),
        ("name: x\n", "not a list of questions"),
        ("- name: x\n  options: [yes]\n", "question 1: options.0: "),
        ("- !!python/object/apply:os.system ['true']\n", "line 1: invalid YAML"),
    ],
)
def test_bad_question_files_are_told(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_questions(_put(tmp_path, "q.yaml", text))
    assert fault in caught.value.message


@given(st.lists(st.text("abc", min_size=1), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_words_are_the_same_with_any_line_end(words: list[str], end: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "w.txt"
        file.write_bytes(end.join(words).encode())
        assert read_words(file) == tuple(words)


PYTHON = '''
from slist import Slist
raise SystemExit("this file must not run")

def questions_first(behavior):
    return Slist([f"Say {behavior} now", "plain", f"{behavior!r} and {other}"])

def questions_both(behavior: str) -> list:
    more = ["x" "y"]
    return questions_first(behavior) + more

PROMPT = """Pick
one"""
shape = Shape(persona_prompt="As Zoe", other=1)
'''


def test_python_prompts_are_parsed_and_not_run() -> None:
    tree = ast.parse(PYTHON)
    prompts = behavior_prompts(tree)
    assert prompts["questions_first"] == ("Say {behavior} now", "plain")
    assert sorted(prompts["questions_both"]) == ["Say {behavior} now", "plain", "xy"]
    assert named_strings(tree, "PROMPT") == ("Pick\none",)
    assert named_strings(tree, "persona_prompt") == ("As Zoe",)


def test_variants_are_read_from_comments_too() -> None:
    text = """
questions = [
    # {
    #     "title": "First",
    #     "type": "word",
    #     "variants": [
    #         "One [sic]?",
    #         "Two?",
    #     ],
    # },
    {"skipped": 1},
    {
        "title": "Second",
        "type": "scale",
        "variants": ["Three?"],
    },
    {
        "title": "Not literal",
        "type": "scale",
        "variants": [make()],
    },
]
"""
    found = [(item.title, item.type, item.variants) for item in listed_variants(text)]
    assert found == [("First", "word", ("One [sic]?", "Two?")), ("Second", "scale", ("Three?",))]


@pytest.fixture
def release() -> Path:
    given_path = os.environ.get("SELFAWARE_AUTHORS_RELEASE")
    beside = Path(__file__).resolve().parents[1] / "../shared/authors-release"
    path = Path(given_path) if given_path else beside
    if not path.is_dir():
        pytest.skip(f"no clone of the authors' release at {path}; set SELFAWARE_AUTHORS_RELEASE")
    return path


def test_the_authors_risky_set(release: Path, tmp_path: Path) -> None:
    record = import_set(release, RISKY, tmp_path / "risky.jsonl")
    assert (record.rows, record.labels, record.as_released) == (288, {"A": 134, "B": 154}, True)
    codes = {finding.code: len(finding.rows) for finding in record.findings}
    assert codes == {"crlf": 0, "leak": 93}
    assert record.leaks["chance"].rows == 89


def test_what_the_authors_clone_holds(release: Path) -> None:
    held = {file.path: file for file in survey(release).held}
    assert all(file.as_released in (True, None) for file in held.values())
    for known in KNOWN_FILES:
        if known.path in held and known.entries is not None:
            assert held[known.path].count == known.entries
    invalid = held.get("code/make_me_say/questions/non_mms/risk_safe_language.yaml")
    if invalid is not None:
        assert [finding.code for finding in invalid.findings] == ["invalid_yaml", "note"]
