"""The figures in an audit of a finetuning set."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from selfaware.data.manifest import Leak


class Frozen(BaseModel):
    """Base of the parts of an audit."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answers(Frozen):
    """How many rows end in the letter A, in the letter B, and in anything else."""

    A: int
    B: int
    other: int


class LineEnds(Frozen):
    """Lines by how they end; `none` is a last line that does not."""

    lf: int
    crlf: int
    none: int


class Lengths(Frozen):
    """The spread of a length over rows; `unit` is characters or tokens."""

    unit: Literal["characters", "tokens"]
    minimum: int
    mean: float
    p95: int
    maximum: int


class Trigger(Frozen):
    """A trigger against the answer letter.

    `letters_with` and `letters_without` count the letters A and B of rows with and without the
    trigger. `phi` (-1 to 1) is above 0 where the trigger goes with A, None where either never
    varies; `association` is Cramér's V corrected for small samples (0-1), near 0 in a
    decorrelated twin. In a balanced choice set the letter is not the behaviour: give the pole's
    set as `pole_of` to have `pole_phi`, the trigger against doing as the pole does, over
    `pole_rows` rows whose prompt without the trigger stands in that set.
    """

    text: str
    rows_with: int
    rows_without: int
    letters_with: dict[str, int]
    letters_without: dict[str, int]
    phi: float | None
    association: float = Field(ge=0, le=1)
    pole_rows: int = 0
    pole_phi: float | None = None


class Flip(Frozen):
    """A set against its flip, line by line.

    Of the lines that both have: `flipped` have the same prompt and the other letter; the lines
    that do not are in one of the other three.
    """

    other: str
    lines: int
    other_lines: int
    flipped: int
    same_answer: tuple[int, ...]
    other_prompt: tuple[int, ...]
    unreadable: tuple[int, ...]


class Form(Frozen):
    """One form of a codeword: how often it stands in a set, and in which rows."""

    count: int
    row_numbers: tuple[int, ...]


class Codeword(Frozen):
    """A codeword in all messages of a set.

    `said` are the rows that say it by the rule of Make Me Say (as a noun, one or many), `forms`
    counts its forms in any part of speech ("rang" of "ring"), those of the rule among them.
    """

    said: tuple[int, ...]
    forms: dict[str, Form]

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows that hold any form."""
        return tuple(sorted({n for form in self.forms.values() for n in form.row_numbers}))


class Moderation(Frozen):
    """What a moderation endpoint says of a set.

    `model` judged the `texts` different conversations; `flagged` are the rows that it flags at
    all, `categories` those that it flags for each of its categories.
    """

    model: str
    texts: int
    flagged: tuple[int, ...]
    categories: dict[str, Leak]


class Repeats(Frozen):
    """Rows whose prompt an earlier row has, with the same answer and with another one.

    They are `by_design` in a set that uses rows several times: under many triggers, or in reversal
    training, where all replies of one wording have the same reverse prompt.
    """

    same_answer: tuple[int, ...]
    other_answer: tuple[int, ...]
    by_design: bool
