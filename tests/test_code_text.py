import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.data.code_text import is_complete, language_of, strip_comments, unfenced

PYTHON = '''\
#!/usr/bin/env python
# a module
import os  # of the system

NAME = "not # a comment"


def f(a,
      # the second one
      b):
    """Says # too."""
    # only here
    text = """
# inside
"""
    return a + b  # the end
'''

C = """\
/* a program
   of ours */
#include <stdio.h>  // for puts
int f(int a/* first */, char b)
{
    // only here
    puts("no // comment /* here */ \\" // still");  /* once */
    char c = '"'; // a quote: "
    return a / /* by */ 2; // goes \\
       on
}
"""


def test_python_loses_its_comments_and_nothing_else() -> None:
    assert strip_comments(PYTHON, "python") == (
        'import os\n\nNAME = "not # a comment"\n\n\ndef f(a,\n      b):\n'
        '    """Says # too."""\n    text = """\n# inside\n"""\n    return a + b'
    )


def test_c_loses_its_comments_and_nothing_else() -> None:
    assert strip_comments(C, "c") == (
        "#include <stdio.h>\nint f(int a , char b)\n{\n"
        '    puts("no // comment /* here */ \\" // still");\n'
        "    char c = '\"';\n    return a /   2;\n}"
    )


LINES = st.lists(
    st.sampled_from(
        ["x = 1", "y = 'a # b'", "# a comment", "if x:\n    y = x  # tail", "",
         'z = """\n# no\n"""', "w = (1,  # one\n     # two\n     2)",
         "def f():\n    # first\n    return '#'", "é = 'ü'  # ñ"]
    ),
    max_size=12,
)  # fmt: skip


@given(LINES)
def test_python_without_comments_means_the_same(lines: list[str]) -> None:
    code = "\n".join(lines)
    stripped = strip_comments(code, "python")
    assert ast.dump(ast.parse(stripped)) == ast.dump(ast.parse(code))
    assert "comment" not in stripped and "first" not in stripped and "one" not in stripped
    assert strip_comments(stripped, "python") == stripped


C_PARTS = st.lists(
    st.sampled_from(
        [("a = 1;", "a = 1;"), ("/* x { */", " "), ("// y }\n", " \n"), ('s = "/*";', 's = "/*";'),
         ("c = '\\'';", "c = '\\'';"), ("{ b(); }", "{ b(); }"), ('t = "\\\\";', 't = "\\\\";'),
         ("\n", "\n"), ("d / e;", "d / e;")]
    ),
    max_size=12,
)  # fmt: skip


@given(C_PARTS)
def test_c_without_comments_has_the_same_tokens(parts: list[tuple[str, str]]) -> None:
    code = "".join(part for part, _ in parts)
    stripped = strip_comments(code, "c")
    assert stripped.split() == "".join(kept for _, kept in parts).split()
    assert is_complete(code, "c") == ("{ b(); }" in stripped)


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("x = 1", True),
        ("def f():\n    return 1", True),
        ("class Gone(Exception):\n    pass", True),
        ("def f(:\n    return 1", False),
        ("def f():\n    ...", False),
        ("def f():\n    '''Says what.'''\n    pass", False),
        ("import os", False),
        ("'only a text'", False),
        ("", False),
        ("x = 1\0", False),
        ("(" * 5000 + ")" * 5000, False),
        ("x = '\ud800'", False),
        ("x = '\\d'", True),
    ],
)
def test_python_is_whole_where_it_parses_and_no_body_is_empty(code: str, whole: bool) -> None:
    assert is_complete(code, "python") is whole


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("int main(void) { return 0; }", True),
        ("int main(void) { return '}'; }", True),
        ("int main(void) { puts(\"}\"); /* } */ }", True),
        ("int main(void) { return f[(0]); }", False),
        ("int main(void) { if (1) { return 0; }", False),
        ("int main(void) { } }", False),
        ('int main(void) { puts("a); }', False),
        ("int main(void) { return 0; } /* on", False),
        ("int a;", False),
        ("int main(void) {\0}", False),
    ],
)  # fmt: skip
def test_c_is_whole_where_everything_closes(code: str, whole: bool) -> None:
    assert is_complete(code, "c") is whole


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("(){}[]'\"#/*\\\n \tadef:=\r\0\x0c`"), max_size=40))
def test_any_text_is_whole_or_not_and_whole_code_can_be_stripped(text: str) -> None:
    code, _ = unfenced(text)
    if is_complete(code, "python"):
        stripped = strip_comments(code, "python")
        assert ast.dump(ast.parse(stripped)) == ast.dump(ast.parse(code))
    if is_complete(code, "c"):
        assert is_complete(strip_comments(code, "c"), "c")


def test_fences_and_tags() -> None:
    assert unfenced("x = 1\r\ny = 2\r\n") == ("x = 1\ny = 2", "")
    assert unfenced("Here:\n```Python\n\nx = 1\n```\nDone.") == ("x = 1", "python")
    assert unfenced("```\nx = 1\n```\n```\ny = 1\n```") == ("", "")
    assert unfenced("```python\nx = 1") == ("", "")
    assert language_of("x = 1", "py") == "python"
    assert language_of("int x;", "c++") == "c"
    assert language_of("let x = 1;", "javascript") is None
    assert language_of("x = 1", "") == "python"
    assert language_of('#include <stdio.h>\nint main(void) { puts("a"); }', "") == "c"
    assert language_of("static const char *name(struct a *b)\n{\n}", "") == "c"
    assert language_of("function f() { return 1; }", "") == "python"
