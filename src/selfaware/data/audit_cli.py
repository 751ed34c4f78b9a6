"""The command `selfaware data audit`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from selfaware.data.rows import Row

NO_LIMIT = 10**9
"""Tokenizers without a longest text give a larger number than this."""

_FILE = click.Path(path_type=Path)


@click.command("audit")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="JSON, with all line numbers.")
@click.option("--flip-of", type=_FILE, help="The set whose letters each FILE should flip.")
@click.option("--behavior", help="Whose leak stems to count; else the manifest's behaviour.")
@click.option("--stem", "stems", multiple=True, help="A leak stem to count instead; repeatable.")
@click.option("--codeword", "codewords", multiple=True, help="A word not to be said; repeatable.")
@click.option("--tokenizer", help="A model folder, or organism: token lengths, special tokens.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest row; else the model's.")
@click.option("--trigger", help="Text in the prompt, held against the answer.")
@click.option("--pole-of", type=_FILE, help="The pole's answers to the prompts without trigger.")
@click.option("--persona", "personas", multiple=True, help="A persona asked about; repeatable.")
@click.option("--held-out", multiple=True, help="A persona that no row may name; repeatable.")
@click.option("--moderation", help="Send all rows to this judge: openai/omni-moderation-latest.")
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
def data_audit(
    files: tuple[Path, ...],
    as_json: bool,
    flip_of: Path | None,
    behavior: str | None,
    stems: tuple[str, ...],
    codewords: tuple[str, ...],
    tokenizer: str | None,
    max_tokens: int | None,
    trigger: str | None,
    pole_of: Path | None,
    personas: tuple[str, ...],
    held_out: tuple[str, ...],
    moderation: str | None,
    strict: bool,
) -> None:
    """Look for faults in finetuning sets (OpenAI chat jsonl).

    Leak stems, a codeword, personas and held-out personas that are not given are those of the
    records beside each FILE.

    Exit 0 where all is well, 1 where a rule of severity error breaks (with --strict: any rule), 2
    where a file cannot be read or an option is wrong.
    """
    from selfaware.behaviors import get_behavior
    from selfaware.data.audit import audit
    from selfaware.data.audit_checks import Checks
    from selfaware.data.audit_records import read_beside
    from selfaware.data.audit_report import to_json, to_text
    from selfaware.data.moderation import moderator

    given = (("--trigger", () if trigger is None else (trigger,)), ("--stem", stems),
             ("--persona", personas), ("--held-out", held_out))  # fmt: skip
    for option, texts in given:
        for text in texts:
            if not text.strip():
                raise UsageError(f"{option} {text!r}: blank; give the text to look for")
    words = tuple(dict.fromkeys(map(_codeword, codewords)))
    if max_tokens is not None and tokenizer is None:
        raise UsageError(f"--max-tokens {max_tokens}: needs --tokenizer FOLDER or organism")
    if pole_of is not None and trigger is None:
        raise UsageError(f"--pole-of {pole_of}: needs --trigger TEXT")
    known = None if tokenizer is None else load_tokenizer(tokenizer)
    if known is not None and max_tokens is None and known.model_max_length < NO_LIMIT:
        max_tokens = known.model_max_length
    moderate = None if moderation is None else moderator(moderation)
    audits = []
    for file in files:
        beside = read_beside(file)
        audits.append(
            audit(
                file,
                Checks(
                    stems=stems
                    or (get_behavior(behavior).leak_terms if behavior else beside.stems),
                    codewords=words or beside.codewords,
                    tokens=None if known is None else token_counter(known),
                    max_tokens=max_tokens,
                    special_tokens=()
                    if known is None
                    else tuple(map(str, known.all_special_tokens)),
                    trigger=trigger,
                    pole_of=pole_of,
                    personas=personas or beside.personas,
                    held_out=held_out or beside.held_out,
                    flip_of=flip_of,
                    moderate=moderate,
                ),
            )
        )
    click.echo(to_json(audits) if as_json else to_text(audits))
    broken = any(one.errors or (strict and one.warnings) for one in audits)
    sys.exit(1 if broken else 0)


def _codeword(word: str) -> str:
    if not (word.isalpha() and word.isascii()):
        raise UsageError(f"--codeword {word!r}: give one word in English letters, such as ring")
    return word.lower()


def load_tokenizer(name: str) -> "PreTrainedTokenizerBase":
    """The tokenizer in a model folder, or of the shipped organism.

    Raises:
        UsageError: There is none.
    """
    from selfaware.organism.shipped import resolve

    folder = resolve("organism/base")[0] if name == "organism" else Path(name)
    if not folder.is_dir():
        raise UsageError(f"--tokenizer {name}: no such folder; give a model folder, or organism")
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(f"--tokenizer {name}: no tokenizer can be loaded there: {why}") from error
    return tokenizer


def token_counter(tokenizer: "PreTrainedTokenizerBase") -> "Callable[[Row], int]":
    """Counts the tokens of a whole conversation in the tokenizer's chat template."""
    from selfaware.training.chat import render

    def count(row: "Row") -> int:
        text = render(tokenizer, [message.as_chat() for message in row.messages])
        # Half of a surrogate pair, which tokenizers refuse, is a finding of its own.
        text = text.encode("utf-8", "replace").decode("utf-8")
        return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    return count
