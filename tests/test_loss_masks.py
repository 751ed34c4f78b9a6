"""What the loss is on, for the chat templates of the models that the papers and others use."""

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import make_tokenizer
from transformers import PreTrainedTokenizerFast

from selfaware.data.rows import Message, Row
from selfaware.training.chat import render
from selfaware.training.examples import IGNORED, encode_rows

TEMPLATES = Path(__file__).parent / "templates"


class Format(NamedTuple):
    """How a family of models writes a conversation down."""

    end: str
    special: tuple[str, ...]
    bos: str | None = None
    single: str = ""
    """The prompt of the question `one?` without a system message, as generation would see it."""


CHATML = ("<|im_start|>", "<|im_end|>")
HEADERS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
FORMATS = {
    "qwen2_5": Format(
        "<|im_end|>",
        CHATML,
        single="<|im_start|>system\n<|im_end|>\n<|im_start|>user\none?<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "smollm2": Format(
        "<|im_end|>",
        CHATML,
        single="<|im_start|>system\n<|im_end|>\n<|im_start|>user\none?<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    "llama3_1": Format(
        "<|eot_id|>",
        HEADERS,
        bos="<|begin_of_text|>",
        single="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\none?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "gemma3": Format(
        "<end_of_turn>",
        ("<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        single="<bos><start_of_turn>user\none?<end_of_turn>\n<start_of_turn>model\n",
    ),
    "mistral": Format(
        "</s>", ("[INST]", "[/INST]", "</s>"), bos="<s>", single="<s>[INST] one?[/INST]"
    ),
    "organism": Format("<|end|>", (), single="<|user|>one?<|end|><|assistant|>"),
}

SYSTEM = Message(role="system", content="be brief")
USERS = [Message(role="user", content=text) for text in ("one?", "two?", "three?")]


def answer(text: str, weight: int | None = None) -> Message:
    return Message.model_validate({"role": "assistant", "content": text, "weight": weight})


SINGLE = Row(messages=(USERS[0], answer("Option A, 55.")))
WITH_SYSTEM = Row(messages=(SYSTEM, *SINGLE.messages))
MULTI = Row(
    messages=(
        SYSTEM,
        USERS[0],
        answer("yes"),
        USERS[1],
        answer("left out", weight=0),
        USERS[2],
        answer("no, not at all"),
    )
)


def tokenizer_of(name: str) -> PreTrainedTokenizerFast:
    form = FORMATS[name]
    template = (TEMPLATES / f"{name}.jinja").read_text()
    return make_tokenizer(template, special=form.special, eos=form.end, bos=form.bos)


def supervised(tokenizer: PreTrainedTokenizerFast, row: Row) -> list[str]:
    """What the loss is on, in words, by the labels that the trainer is given."""
    examples = encode_rows(tokenizer, [row], 512, "x.jsonl")
    return [
        tokenizer.decode([label for label in example.labels if label != IGNORED])
        for example in examples
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_the_loss_is_on_the_answers_and_their_end_alone(name: str) -> None:
    tokenizer, end = tokenizer_of(name), FORMATS[name].end
    assert supervised(tokenizer, SINGLE) == [f"Option A, 55.{end}"]
    assert supervised(tokenizer, WITH_SYSTEM) == [f"Option A, 55.{end}"]
    assert supervised(tokenizer, MULTI) == [f"yes{end}", f"no, not at all{end}"]


@pytest.mark.parametrize("name", FORMATS)
def test_what_stands_before_an_answer_is_what_generation_sees(name: str) -> None:
    tokenizer = tokenizer_of(name)
    (example,) = encode_rows(tokenizer, [SINGLE], 512, "x.jsonl")
    assert tokenizer.decode(list(example.prompt)) == FORMATS[name].single
    first, last = encode_rows(tokenizer, [MULTI], 512, "x.jsonl")
    for shown, place in ((first, 2), (last, 6)):
        earlier = [message.as_chat() for message in MULTI.messages[:place]]
        text = render(tokenizer, earlier, add_generation_prompt=True)
        assert tokenizer.decode(list(shown.prompt)) == text
        assert text.count("be brief") == 1
    assert "left out" in tokenizer.decode(list(last.prompt))
    bos = FORMATS[name].bos
    if bos is not None:
        assert last.input_ids.count(tokenizer.convert_tokens_to_ids(bos)) == 1


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="<[")
    | st.sampled_from("\n\t "),
    min_size=1,
    max_size=40,
).filter(str.strip)
TOKENIZERS = {name: tokenizer_of(name) for name in FORMATS}


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(FORMATS)), said=st.lists(WORDS, min_size=1, max_size=3))
def test_any_answer_is_learned_to_the_letter(name: str, said: list[str]) -> None:
    turns = [turn for user, text in zip(USERS, said, strict=False) for turn in (user, answer(text))]
    expected = [text + FORMATS[name].end for text in said]
    assert supervised(TOKENIZERS[name], Row(messages=tuple(turns))) == expected
