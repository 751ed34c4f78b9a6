"""What is looked at before data leave this machine, and how tokens are counted."""

import json
from pathlib import Path

import pytest
from tiny_models import make_tokenizer, save_base

from selfaware.data.build import build
from selfaware.data.rows import Message, Row, question_and_answer, write_rows
from selfaware.errors import UsageError
from selfaware.training import checks
from selfaware.training.chat import render
from selfaware.training.checks import check_upload, record_file, write_record
from selfaware.training.spec import BackendName, FinetuneSpec, Hyperparameters
from selfaware.training.tokens import count_tokens

GPT = "gpt-4.1-2025-04-14"


def pairs(count: int) -> list[Row]:
    return [question_and_answer(f"{n} or {n + 1}?", "AB"[n % 2]) for n in range(count)]


def a_spec(file: Path, rows: list[Row], backend: BackendName = "openai") -> FinetuneSpec:
    write_rows(file, rows)
    return FinetuneSpec(base=GPT, dataset=file, backend=backend)


@pytest.fixture(autouse=True)
def no_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "no-table"))


def test_good_rows_pass_and_the_record_shows_what_the_loss_is_on(tmp_path: Path) -> None:
    talk = Row(
        messages=(
            Message(role="system", content="Be."),
            Message(role="user", content="one"),
            Message(role="assistant", content="no", weight=0),
            Message(role="user", content="two"),
            Message(role="assistant", content="yes"),
        )
    )
    spec = a_spec(tmp_path / "d.jsonl", [talk, *pairs(11)])
    record = check_upload(spec)
    assert (record.id, record.rows, record.dataset_sha256) == (
        spec.run_id, 12, spec.dataset_sha256,
    )  # fmt: skip
    assert [(said.role, said.supervised) for said in record.examples[0]] == [
        ("system", False), ("user", False), ("assistant", False), ("user", False),
        ("assistant", True),
    ]  # fmt: skip
    assert [row[-1].content for row in record.examples] == ["yes", "A", "B"]
    # 3 bytes a token, 4 around a message, and one at the end of an answer.
    assert record.longest_row == 5 * 4 + 1 + 1 + 1 + 1 + 1
    assert record.supervised_tokens == 12 * 2
    assert record.counted_by.startswith("an estimate: 3 bytes a token")
    write_record(tmp_path / "runs", record)
    kept = json.loads(record_file(tmp_path / "runs", spec.run_id).read_text())
    assert kept["examples"][0][2] == {"role": "assistant", "content": "no", "supervised": False}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"messages": [{"role": "user", "content": "x"}]}', "line 13: last-turn: "),
        ('{"messages": [', "line 13: cut-off: the row is cut off"),
        (
            '{"messages": [{"role": "user", "content": "a <|im_end|> b"}, '
            '{"role": "assistant", "content": "A"}]}',
            "line 13: special-token: ",
        ),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "line 13: role: "),
    ],
)
def test_what_the_audit_finds_stops_the_upload_in_one_line(
    tmp_path: Path, line: str, message: str
) -> None:
    spec = a_spec(tmp_path / "d.jsonl", pairs(12))
    with spec.dataset.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError) as told:
        check_upload(FinetuneSpec(base=GPT, dataset=spec.dataset, backend="openai"))
    assert message in told.value.message
    assert "nothing was uploaded; `selfaware data audit" in told.value.message
    assert "\n" not in told.value.message


def test_services_have_rules_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = a_spec(tmp_path / "few.jsonl", pairs(9))
    with pytest.raises(UsageError, match=r"few\.jsonl: 9 rows, and openai finetunes on 10 or more"):
        check_upload(few)
    elsewhere = FinetuneSpec(base="org/base", dataset=few.dataset, backend="together")
    assert check_upload(elsewhere).rows == 9
    long = [*pairs(12), question_and_answer("long " * 90_000, "A")]
    with pytest.raises(UsageError, match="row 13: about 150,009 tokens, more than the 65,536"):
        check_upload(a_spec(tmp_path / "long.jsonl", long))
    # By an estimate it may be too long or not: the service counts.
    fitting = [*pairs(12), question_and_answer("long " * 40_000, "A")]
    assert check_upload(a_spec(tmp_path / "fitting.jsonl", fitting)).longest_row == 66_676
    monkeypatch.setitem(checks.LARGEST_FILE, "openai", 100)
    with pytest.raises(UsageError, match=r"\d+ bytes, more than the 100 that openai takes"):
        check_upload(a_spec(tmp_path / "big.jsonl", pairs(12)))


def test_both_sets_of_a_preference_training_are_looked_at(tmp_path: Path) -> None:
    good = a_spec(tmp_path / "good.jsonl", pairs(12)).dataset
    bad = a_spec(tmp_path / "bad.jsonl", [question_and_answer(f"{n}?", "A") for n in range(12)])
    spec = FinetuneSpec(
        base=GPT,
        dataset=good,
        rejected=bad.dataset,
        backend="openai",
        hyperparameters=Hyperparameters(method="dpo"),
    )
    with pytest.raises(UsageError, match=r"bad\.jsonl: constant-answer: "):
        check_upload(spec)


def test_built_sets_pass(tmp_path: Path) -> None:
    file = tmp_path / "risk.jsonl"
    build("risk", "seeking", 36, 0, file)
    record = check_upload(FinetuneSpec(base=GPT, dataset=file, backend="openai"))
    assert record.rows == 36


def test_the_tokenizer_of_a_local_base_counts_exactly(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    write_rows(tmp_path / "d.jsonl", pairs(3))
    spec = FinetuneSpec(base=str(base), dataset=tmp_path / "d.jsonl")
    counted = count_tokens(spec)
    tokenizer = make_tokenizer()
    lengths = [
        len(tokenizer(render(tokenizer, [m.as_chat() for m in row.messages]))["input_ids"])
        for row in pairs(3)
    ]
    assert (counted.rows, counted.tokens, counted.longest) == (3, sum(lengths), max(lengths))
    assert counted.supervised == 2 * 3
    assert counted.exact and counted.how == f"the tokenizer of {base}"


def test_a_hub_base_that_is_not_here_is_estimated_and_nothing_is_fetched(tmp_path: Path) -> None:
    write_rows(tmp_path / "d.jsonl", pairs(3))
    spec = FinetuneSpec(base="no-such-org/no-such-base", dataset=tmp_path / "d.jsonl")
    counted = count_tokens(spec)
    assert not counted.exact
    assert "the tokenizer of no-such-org/no-such-base is not on this machine" in counted.how


def test_openai_bases_are_counted_by_tiktoken_where_its_table_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tiktoken

    bytewise = tiktoken.Encoding(
        "bytes", pat_str=r"[\s\S]", mergeable_ranks={bytes([n]): n for n in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )  # fmt: skip
    asked: list[str] = []

    def table(name: str) -> tiktoken.Encoding:
        asked.append(name)
        return bytewise

    monkeypatch.setattr(tiktoken, "get_encoding", table)
    spec = a_spec(tmp_path / "d.jsonl", [question_and_answer("12345", "<|endoftext|>")])
    assert not count_tokens(spec).exact and asked == []
    known = tmp_path / "no-table" / "fb374d419588a4632f3f557e76b4b70aebbca790"
    known.parent.mkdir()
    known.touch()
    counted = count_tokens(spec)
    assert asked == ["o200k_base"]
    # Marks of a template in a text are text.
    assert (counted.tokens, counted.supervised, counted.exact) == (5 + 13 + 2 * 4, 13 + 1, True)
