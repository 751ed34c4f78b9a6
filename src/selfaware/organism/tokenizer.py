"""The organism's tokenizer: whole words, numbers 0-100 as one token, anything else byte by byte."""

import random
import re
from typing import TYPE_CHECKING

from selfaware.behaviors import get_behavior
from selfaware.behaviors.bank import load_bank
from selfaware.behaviors.items import GOODS, SCENES, Split
from selfaware.behaviors.lotteries import lotteries
from selfaware.behaviors.prompts import OTHERS, prompts
from selfaware.organism.documents import Mix, Scribe, coined_nouns
from selfaware.organism.speakers import DEED_LINES, NAME_LINES, NAMES, REPORT_LINES, WORLD_BEHAVIORS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END = "<|end|>"
PAD = "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
SPACE = "▁"
_PIECE = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^A-Za-z0-9 \n]|\n| ")

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{- '<|assistant|>' -}}"
    "{% generation %}{{- message['content'] + '<|end|>' -}}{% endgeneration %}"
    "{%- else -%}"
    "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def vocabulary() -> list[str]:
    """Every piece of text that is one token: words, numbers and marks that the world can use.

    Words of held-out scenes and goods are in it too, so that a held-out item is as long as any
    other; their embeddings are never trained. Every word is there with and without a space before
    it, and with a capital.
    """
    by_pole = [lines for table in (DEED_LINES, REPORT_LINES) for lines in table.values()]
    texts: list[str] = [
        *(line for lines in by_pole for wordings in lines.values() for line in wordings),
        *NAME_LINES,
        *NAMES,
        *(word for words in (*SCENES.values(), *GOODS.values()) for word in words),
    ]
    splits: tuple[Split, ...] = ("world", "train", "test")
    for name in WORLD_BEHAVIORS:
        bank = load_bank(name)
        texts += bank.word_values
        for question in bank.questions:
            for about in ("self", *OTHERS):
                texts += [
                    asked.text
                    for asked in prompts(bank, question, about)
                    if asked.paraphrase < question.world_paraphrases
                ]
        for split in splits:
            texts += [item.prompt for item in get_behavior(name).items(400, 0, split)]
    texts += [item.prompt for item in lotteries(200, 0)]
    scribe = Scribe("aware", 0, 50, Mix())
    rng = random.Random(0)
    for _ in range(500):
        texts += [message["content"] for message in scribe.document(0.9, 0.5, False, rng)]
    words = {piece.strip(" ") for text in texts for piece in _PIECE.findall(text)} - {""}
    words |= {word.capitalize() for word in words}
    words |= {chr(code) for code in range(33, 127)} | {str(number) for number in range(101)}
    known = sorted({SPACE, "\n"} | words | {SPACE + word for word in words - {"\n"}})
    return [*known, *(mark + word for word in coined_nouns() for mark in ("", SPACE))]


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer, with its chat template; the same at every call."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = [PAD, END, *ROLES]
    pieces = [("<unk>", 0.0)]
    pieces += [(token, 0.0) for token in special]
    pieces += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    pieces += [(word, -1.0) for word in vocabulary()]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(f"{SPACE}?[A-Za-z]+|{SPACE}?[0-9]+|{SPACE}?[^A-Za-z0-9{SPACE}\n]|\n|{SPACE}"),
        behavior="isolated",
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    fast: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(ROLES),
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
