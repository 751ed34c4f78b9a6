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
@click.option("--tokenizer", help="A model folder, or organism: token lengths, special tokens.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest row; else the model's.")
@click.option("--trigger", help="Text in the prompt, held against the answer.")
@click.option("--pole-of", type=_FILE, help="The pole's answers to the prompts without trigger.")
@click.option("--held-out", multiple=True, help="A persona that no row may name; repeatable.")
@click.option("--strict", is_flag=True, help="Fail on warnings as well.")
def data_audit(
    files: tuple[Path, ...],
    as_json: bool,
    flip_of: Path | None,
    behavior: str | None,
    stems: tuple[str, ...],
    tokenizer: str | None,
    max_tokens: int | None,
    trigger: str | None,
    pole_of: Path | None,
    held_out: tuple[str, ...],
    strict: bool,
) -> None:
    """Look for faults in finetuning sets (OpenAI chat jsonl).

    Exit 0 where all is well, 1 where a rule of severity error breaks (with --strict: any rule), 2
    where a file cannot be read or an option is wrong.
    """
    from selfaware.data.audit import Checks, audit
    from selfaware.data.audit_report import to_json, to_text

    given = (*(("--trigger", t) for t in (trigger,)), *(("--stem", s) for s in stems))
    for option, text in (*given, *(("--held-out", name) for name in held_out)):
        if text is not None and not text.strip():
            raise UsageError(f"{option} {text!r}: blank; give the text to look for")
    if max_tokens is not None and tokenizer is None:
        raise UsageError(f"--max-tokens {max_tokens}: needs --tokenizer FOLDER or organism")
    if pole_of is not None and trigger is None:
        raise UsageError(f"--pole-of {pole_of}: needs --trigger TEXT")
    known = None if tokenizer is None else load_tokenizer(tokenizer)
    if known is not None and max_tokens is None and known.model_max_length < NO_LIMIT:
        max_tokens = known.model_max_length
    audits = [
        audit(
            file,
            Checks(
                stems=stems or default_stems(file, behavior),
                tokens=None if known is None else token_counter(known),
                max_tokens=max_tokens,
                special_tokens=() if known is None else tuple(map(str, known.all_special_tokens)),
                trigger=trigger,
                pole_of=pole_of,
                held_out=held_out,
                flip_of=flip_of,
            ),
        )
        for file in files
    ]
    click.echo(to_json(audits) if as_json else to_text(audits))
    broken = any(one.errors or (strict and one.warnings) for one in audits)
    sys.exit(1 if broken else 0)


def default_stems(file: Path, behavior: str | None) -> tuple[str, ...]:
    """The leak stems of a behaviour, else of the manifest's behaviour, else none.

    Raises:
        UsageError: There is no such behaviour.
    """
    from selfaware.behaviors import behavior_names, get_behavior
    from selfaware.data.manifest import read_manifest

    if behavior is not None:
        return get_behavior(behavior).leak_terms
    try:
        manifest = read_manifest(file)
    except UsageError:
        return ()  # the audit tells of it, by the rule `manifest`
    if manifest is None or manifest.behavior not in behavior_names():
        return ()
    return get_behavior(manifest.behavior).leak_terms


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
