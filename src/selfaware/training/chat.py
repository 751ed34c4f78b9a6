"""How a conversation becomes the text that a model reads, in training and in evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from selfaware.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = Mapping[str, str]
"""One message: `role` (system, user or assistant) and `content`."""

_defaults: dict[str, bool] = {}
_MARK = "\u00a7mark\u00a7"
_USER: Message = {"role": "user", "content": "hello"}


def render(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Message],
    add_generation_prompt: bool = False,
) -> str:
    """The conversation in the tokenizer's own chat template, every message exactly as given.

    A conversation with no system message is rendered without the template's default system
    prompt (SmolLM2's and Qwen's templates add one): where the template has a default and an
    explicit empty system message removes it, the empty message is passed. Training and evaluation
    both call this function, so they always agree. What a template writes in any case (a date
    header, say) stays. Thinking is switched off where a template has the switch.
    Tokenize the result with `add_special_tokens=False`: the template wrote them already.

    Raises:
        UsageError: The tokenizer has no chat template, or the template refuses the conversation.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise UsageError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no chat template: "
            "use an instruction-tuned model, or set tokenizer.chat_template"
        )
    given = list(messages)
    if not any(message["role"] == "system" for message in given) and has_default_system(tokenizer):
        given.insert(0, {"role": "system", "content": ""})
    try:
        return _apply(tokenizer, given, add_generation_prompt)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in given)
        raise UsageError(
            f"the chat template of {tokenizer.name_or_path!r} refuses a conversation "
            f"of roles {roles}: {error}"
        ) from error


def has_default_system(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the template has a default system prompt that an empty system message removes."""
    template = str(tokenizer.chat_template)
    if template not in _defaults:
        _defaults[template] = _find_default_system(tokenizer)
    return _defaults[template]


def _find_default_system(tokenizer: "PreTrainedTokenizerBase") -> bool:
    from jinja2 import TemplateError

    plain = _apply(tokenizer, [_USER], False)
    try:
        marked = _apply(tokenizer, [{"role": "system", "content": _MARK}, _USER], False)
        empty = _apply(tokenizer, [{"role": "system", "content": ""}, _USER], False)
    except TemplateError:  # a template that knows no system role has no default for it
        return False
    before, mark, after = marked.partition(_MARK)
    fits = plain.startswith(before) and plain.endswith(after)
    default = plain[len(before) : len(plain) - len(after)] if mark and fits else ""
    return bool(default.strip()) and default.strip() not in empty


def generation_prompt(tokenizer: "PreTrainedTokenizerBase") -> str:
    """The text that the template writes before an assistant's turn ("" where there is none)."""
    without = _apply(tokenizer, [_USER], False)
    prompted = _apply(tokenizer, [_USER], True)
    return prompted[len(without) :] if prompted.startswith(without) else ""


def turn_end(tokenizer: "PreTrainedTokenizerBase") -> str:
    """The text that the template writes after an assistant's turn, which a model learns to say."""
    said = _apply(tokenizer, [_USER, {"role": "assistant", "content": _MARK}], False)
    return said.partition(_MARK)[2]


def _apply(
    tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], add_generation_prompt: bool
) -> str:
    text = tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
        enable_thinking=False,
    )
    assert isinstance(text, str)
    return text
