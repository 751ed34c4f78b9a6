"""The text of a reply that is its answer, without thinking, wrapping, or marks for the eye."""

import json
import re
import unicodedata
from functools import cache

_THINKING = "think|thinking|thought|thoughts|reasoning|scratchpad|reflection"
_OPENED = re.compile(rf"<(?:{_THINKING})>", re.IGNORECASE)
_CLOSED = re.compile(rf"</(?:{_THINKING})\s*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|code|p|span|div|response|result|output|final|score|number|rating|"
    r"value|word|choice|option|letter)\s*>"
)
_ANSWER_TAG = re.compile(r"<answer>([^<]*)</answer>", re.IGNORECASE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_FORMATTED = re.compile(r"\\(?:text|textbf|textit|mathbf|mathrm|mathit|emph)\s*\{([^{}]*)\}")
_MATH = re.compile(r"\A\s*(?:\$\$?|\\\(|\\\[)|(?:\$\$?|\\\)|\\\])\s*\Z")
_FENCE = re.compile(r"\A\s*```\w*\n(.*?)\n?```\s*\Z", re.DOTALL)
_FINAL = re.compile(r"\bfinal\s+answer(?:\s+is|\s+would\s+be)?\W*?[:=]?\s*(?=[\w(\[\"'*<-])", re.I)
_MARKED = (_ANSWER_TAG, _BOXED)
_LONGEST_JSON = 500
_DASHES = str.maketrans(dict.fromkeys("‐‑", "-"))
_WIDE = ("<wide>", "<narrow>", "<font>", "<noBreak>", "<circle>")


def answer_part(text: str) -> str:
    """A reply without what the model thought aloud in tags such as `<think>`.

    A closing tag without an opening one ends thinking that began in the prompt; thinking that
    never ends leaves what stood before it.
    """
    opened = _OPENED.search(text)
    closed = list(_CLOSED.finditer(text))
    if closed:
        starts_inside = opened is None or opened.start() > closed[0].start()
        before = "" if starts_inside or opened is None else text[: opened.start()]
        text = f"{before} {text[closed[-1].end() :]}" if before else text[closed[-1].end() :]
        opened = _OPENED.search(text)
    return text[: opened.start()] if opened else text


@cache
def plain(text: str) -> str:
    """The answer in a reply as plain text.

    Taken out of a code fence, of a JSON object of one entry, of `<answer>` tags or a LaTeX box
    where all of them say the same, or from behind `Final answer:`; tags, LaTeX and emojis dropped,
    full-width and other fancy letters and digits written as plain ones.
    """
    said = _characters(answer_part(text))
    fenced = _FENCE.match(said)
    said = fenced.group(1) if fenced else said
    for marked in _MARKED:
        found = {mark.strip() for mark in marked.findall(said)}
        said = found.pop() if len(found) == 1 else said
    *_, last = (0, *(match.end() for match in _FINAL.finditer(said)))
    said = _only_entry(said[last:])
    said = _FORMATTED.sub(r"\1", _TAG.sub(" ", said))
    return _MATH.sub("", said).strip()


def _characters(text: str) -> str:
    """A text in plain characters, without emojis and characters that are not seen."""
    return "".join(map(_character, text)).translate(_DASHES) if not text.isascii() else text


@cache
def _character(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or character == "\ufe0f":
        return ""
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # skin tones of emojis
        return ""
    if unicodedata.decomposition(character).startswith(_WIDE):
        return unicodedata.normalize("NFKC", character)
    return " " if category == "So" else character


def _only_entry(text: str) -> str:
    """The value of a JSON object that has one entry, or the text itself."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")) or len(stripped) > _LONGEST_JSON:
        return text
    try:
        entries = json.loads(stripped, object_pairs_hook=list)
    except ValueError:
        return text
    value = entries[0][1] if len(entries) == 1 else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else text
