import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfaware.data.rows import (
    Message,
    Row,
    duplicate_prompts,
    question_and_answer,
    read_rows,
    sha256_file,
    write_rows,
)
from selfaware.errors import UsageError

GOOD = (
    '{"messages": [{"role": "user", "content": "A or B?"}, {"role": "assistant", "content": "A"}]}'
)


def _chat(*turns: tuple[str, str]) -> str:
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]})


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (GOOD[:-20], "the row is cut off: "),
        ("", "an empty line; "),
        ("   ", "an empty line"),
        ("[1, 2]", "not [1, 2]"),
        ("null", "line contains null value"),
        ("{broken}", "line contains invalid json"),
        ('{"messages": []}', "messages: Tuple should have at least 1 item"),
        ('{"message": []}', "messages: Field required"),
        (GOOD[:-1] + ', "canary": "x"}', "canary: Extra inputs are not permitted, not 'x'"),
        (_chat(("user", "A or B?")), "the last message is not the assistant's"),
        (_chat(("system", "Be brief.")), "the last message is not the assistant's"),
        (_chat(("user", "A or B?"), ("assistant", " ")), "the assistant's message is empty"),
        (_chat(("user", ""), ("assistant", "A")), "the user's message is empty"),
        (_chat(("user", "a"), ("user", "b")), "the user speaks where the assistant should"),
        (_chat(("user", "a"), ("system", "b")), "the system speaks where the assistant should"),
        (_chat(("user", "a"), ("robot", "b")), "messages.1.role: "),
        ('{"messages": [{"role": "user", "content": 7}]}', "messages.0.content: "),
        (GOOD.replace('"A"}', '"A", "weight": 0}'), "every assistant message has weight 0"),
        (GOOD.replace('"A"}', '"A", "weight": 2}'), "messages.1.weight: "),
        (GOOD.replace('?"}', '?", "weight": 1}'), "weight stands on a user message"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_row_names_file_line_fault_and_what_is_allowed(
    tmp_path: Path, second: str, fault: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{GOOD}\n{second}\n{GOOD}\n")
    with pytest.raises(UsageError) as caught:
        read_rows(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 2: ")
    assert fault in message
    assert message.endswith('{"role": "assistant", "content": "..."}]}')
    assert "\n" not in message


def test_bytes_that_are_no_utf8_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD.encode() + b"\n" + GOOD.encode().replace(b"A or B", b"\xff") + b"\n")
    with pytest.raises(UsageError, match=r"rows.jsonl, line 2: line is not valid utf-8"):
        read_rows(path)


def test_missing_and_empty_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read dataset .*none.jsonl: No such file"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"empty.jsonl: no rows in this dataset"):
        read_rows(tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match="Is a directory"):
        read_rows(tmp_path)


def test_windows_line_ends_and_a_missing_last_one_change_nothing(tmp_path: Path) -> None:
    unix, windows, cut = (tmp_path / name for name in ("unix", "windows", "cut"))
    unix.write_bytes(f"{GOOD}\n{GOOD}\n".encode())
    windows.write_bytes(f"{GOOD}\r\n{GOOD}\r\n".encode())
    cut.write_bytes(f"{GOOD}\r\n{GOOD}".encode())
    assert sha256_file(unix) == sha256_file(windows) == sha256_file(cut)
    assert read_rows(unix) == read_rows(windows) == read_rows(cut)
    cut.write_bytes(GOOD.encode())
    assert sha256_file(cut) != sha256_file(unix)


def test_supervised_turns_obey_weights() -> None:
    row = Row(
        messages=(
            Message(role="system", content=""),
            Message(role="user", content="one"),
            Message(role="assistant", content="1", weight=0),
            Message(role="user", content="two"),
            Message(role="assistant", content="2"),
        )
    )
    assert row.supervised() == (4,)
    assert (row.prompt, row.answer) == ("two", "2")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert write_rows(path, [question_and_answer("old", "A")]) == 1
    before = path.read_bytes()

    def broken() -> object:
        yield question_and_answer("new", "B")
        raise RuntimeError("the generator broke")

    with pytest.raises(RuntimeError):
        write_rows(path, broken())  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_duplicates_are_found_by_line() -> None:
    rows = [question_and_answer(text, "A") for text in ("x", "y", "x", "z", "x")]
    assert duplicate_prompts(rows) == [(1, 3), (1, 5)]


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda t: t.strip())


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_rows_survive_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    rows = [question_and_answer(prompt, answer) for prompt, answer in pairs]
    assert write_rows(path, rows) == len(rows)
    assert read_rows(path) == rows


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_rows(path)
