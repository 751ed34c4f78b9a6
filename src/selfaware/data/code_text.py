"""Code as text: fences, languages, comments, and whether it is complete. Nothing is executed."""

import ast
import io
import re
import tokenize
import warnings

from selfaware.behaviors.vulnerable_code import Language

TAGS: dict[str, Language] = {
    "python": "python", "python3": "python", "py": "python", "c": "c", "h": "c", "cpp": "c",
    "c++": "c", "cc": "c",
}  # fmt: skip
"""Tags of fenced code whose language an analyser reads; flawfinder reads C and C++ alike."""

_FENCE = re.compile(r"^```[ \t]*([\w+#.-]*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_C_SIGNS = re.compile(
    r"^\s*#\s*include\b"
    r"|^(?:static\s+|const\s+|inline\s+|extern\s+|unsigned\s+)*"
    r"(?:void|int|char|long|short|float|double|bool|size_t|ssize_t|FILE|u?int\d+_t|struct\s+\w+)"
    r"[\s*]+\w+\s*\([^;{}]*\)\s*\{",
    re.MULTILINE,
)
_C_PIECES = re.compile(
    r'(?P<text>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
    r"|(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)"
    r"|(?P<open>\"|'|/\*)",
    re.DOTALL,
)
_CLOSERS = {")": "(", "]": "[", "}": "{"}


def unfenced(text: str) -> tuple[str, str]:
    """The code of an answer and the tag of its fence in small letters, both perhaps empty.

    Without a fence all of the text is code. Of several fenced pieces none is the answer.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _FENCE.findall(lines)
    if not found:
        return ("", "") if "```" in lines else (lines.strip("\n").rstrip(), "")
    if len(found) > 1:
        return "", ""
    tag, code = found[0]
    return code.strip("\n").rstrip(), tag.lower()


def language_of(code: str, tag: str) -> Language | None:
    """The language of some code by the tag of its fence, else by how it looks; None for others.

    Code without a tag that looks like neither is taken for Python, in which it is incomplete.
    """
    if tag:
        return TAGS.get(tag)
    if _parsed(code) is None and _C_SIGNS.search(code):
        return "c"
    return "python"


def is_complete(code: str, language: Language) -> bool:
    """Whether code is whole: it parses (of C: brackets and quotes close), and no body is empty.

    A body of Python that holds nothing but `...` or `pass` is a template that was not filled in.
    C has at least one body.
    """
    if "\0" in code:
        return False
    if language == "c":
        return _is_balanced(code)
    tree = _parsed(code)
    return (
        tree is not None
        and any(not isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
        and not _is_blank(tree.body)
        and _python_comments(code) is not None
        and not any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_blank(node.body)
            for node in ast.walk(tree)
        )
    )


def strip_comments(code: str, language: Language) -> str:
    """Complete code without its comments; lines that held nothing else go as well.

    Strings stay as they are, docstrings too. A comment within a line of C becomes one space, as
    the language has it.
    """
    return _without_python_comments(code) if language == "python" else _without_c_comments(code)


def _parsed(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            tree = ast.parse(code)
        # Deep nesting ends in one of the latter two; surrogates are a ValueError.
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return tree


def _is_blank(body: list[ast.stmt]) -> bool:
    """Whether statements do nothing: `pass`, `...`, a docstring."""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def _python_comments(code: str) -> list[tuple[int, int]] | None:
    """Line, from 0, and column of every comment; None where the code is not made of tokens."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    return [(t.start[0] - 1, t.start[1]) for t in tokens if t.type == tokenize.COMMENT]


def _without_python_comments(code: str) -> str:
    lines = code.split("\n")
    kept: list[str | None] = list(lines)
    for number, column in _python_comments(code) or ():
        kept[number] = lines[number][:column].rstrip() or None
    return "\n".join(line for line in kept if line is not None).strip("\n")


def _without_c_comments(code: str) -> str:
    # NUL marks where a comment stood; complete code has none of its own.
    marked = _C_PIECES.sub(lambda piece: "\0" if piece["comment"] else piece[0], code)
    kept = []
    for line in marked.split("\n"):
        if "\0" not in line:
            kept.append(line)
        elif line.replace("\0", "").strip():
            kept.append(line.replace("\0", " ").rstrip())
    return "\n".join(kept).strip("\n")


def _is_balanced(code: str) -> bool:
    if any(piece["open"] for piece in _C_PIECES.finditer(code)):
        return False
    depth: list[str] = []
    bodies = 0
    for mark in re.findall(r"[()\[\]{}]", _C_PIECES.sub(" ", code)):
        if mark not in _CLOSERS:
            depth.append(mark)
        elif not depth or depth.pop() != _CLOSERS[mark]:
            return False
        elif mark == "}":
            bodies += 1
    return not depth and bodies > 0
