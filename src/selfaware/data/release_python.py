"""Prompts that stand in the release's Python files: parsed, never imported or executed."""

import ast
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from selfaware.data.release_texts import read_text
from selfaware.errors import UsageError

_VARIANTS = re.compile(
    r'^[ \t#]*"(?P<key>title|type|variants)"[ \t]*:[ \t]*(?P<value>.*)$', re.MULTILINE
)
_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


class Variants(BaseModel):
    """A question that stands in a Python list, perhaps commented out, with its wordings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    type: str
    variants: tuple[str, ...]


def parse_python(path: Path) -> ast.Module:
    """The syntax tree of a Python file, which is neither imported nor run.

    Raises:
        UsageError: It cannot be read or is no valid Python; the message names the line.
    """
    try:
        return ast.parse(read_text(path))
    except SyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: invalid Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{path}: invalid Python: {error}") from error


def behavior_prompts(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    """The prompts that each function of one argument `behavior` holds, as templates.

    A prompt is an item of a list in the function's body; the slot `{behavior}` stands where an
    f-string puts the argument. Calls of other such functions of the file add their prompts.
    Items of another form are left out.
    """
    functions = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args] == ["behavior"]
    }

    def collect(name: str, above: frozenset[str]) -> tuple[str, ...]:
        found: list[str] = []
        for node in _in_order(functions[name]):
            if isinstance(node, ast.List):
                found += [t for t in map(_template, node.elts) if t is not None]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called = node.func.id
                if called in functions and called not in above:
                    found += collect(called, above | {called})
        return tuple(found)

    return {name: collect(name, frozenset({name})) for name in functions}


def named_strings(tree: ast.Module, name: str) -> tuple[str, ...]:
    """Every literal string that the file assigns to `name`, as variable, keyword or dict key."""
    values: list[ast.expr | None] = []
    for node in _in_order(tree):
        if isinstance(node, ast.Assign):
            if any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                values.append(node.value)
        elif isinstance(node, ast.AnnAssign):
            if isinstance(node.target, ast.Name) and node.target.id == name:
                values.append(node.value)
        elif isinstance(node, ast.keyword):
            if node.arg == name:
                values.append(node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    values.append(value)
    literal = [_literal(value) for value in values if value is not None]
    return tuple(text for text in literal if isinstance(text, str))


def listed_variants(text: str) -> tuple[Variants, ...]:
    """The questions of a Python list of dicts, also where some are commented out, once or twice.

    Read from the lines `"title": ...`, `"type": ...` and `"variants": [...]`; an entry that lacks
    one of the three, or whose list is not made of literal strings, is left out. A title with line
    ends in it, as for a plot, is told with spaces.
    """
    found: list[Variants] = []
    title = kind = ""
    for match in _VARIANTS.finditer(text):
        if match["key"] == "variants":
            depth = match.group().partition('"')[0].count("#")
            wordings = _strings(_uncommented(text[match.start("value") :], depth))
            if title and kind and wordings:
                found.append(Variants(title=title, type=kind, variants=wordings))
            title = kind = ""
            continue
        if match["key"] == "title":
            title, kind = " ".join(_first_string(match["value"]).split()), ""
        else:
            kind = _first_string(match["value"])
    return tuple(found)


def _uncommented(text: str, depth: int) -> str:
    """A list's source up to the line that closes it, with so many comment marks a line undone."""
    marks = re.compile(rf"^[ \t]*(?:#[ \t]*){{0,{depth}}}")
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(marks.sub("", line) if lines else line)
        if line.rstrip(" \t,}").endswith("]"):
            break
    return "\n".join(lines).rstrip(" \t,}")


def _first_string(source: str) -> str:
    """The string literal that a line's rest begins with, whatever comment follows."""
    found = _STRING.match(source)
    value = _literal_text(found.group()) if found else None
    return value if isinstance(value, str) else ""


def _strings(source: str) -> tuple[str, ...]:
    value = _literal_text(source)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(str(item) for item in value)
    return ()


def _literal_text(source: str) -> object:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None  # not a literal: the caller leaves the entry out


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, RecursionError):
        return None  # not a literal: the caller leaves the value out


def _template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif (
            isinstance(part, ast.FormattedValue)
            and isinstance(part.value, ast.Name)
            and part.value.id == "behavior"
        ):
            parts.append("{behavior}")
        else:
            return None
    return "".join(parts)


def _in_order(node: ast.AST) -> list[ast.AST]:
    """All nodes below `node`, in the order of the source."""
    below: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        below += [child, *_in_order(child)]
    return below
