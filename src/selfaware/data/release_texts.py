"""The release's question files and word lists, read as they stand."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selfaware.errors import UsageError

QUESTION_TYPES = ("free_form", "multiple_choice", "ff_score", "quantitative", "score", "word")
"""The question types that the release uses."""

LITERAL_NEWLINE = "\\n"
"""Two characters, a backslash and an n, that models saw where a line end was meant."""


class ReleasedQuestion(BaseModel):
    """One entry of a question file, as the authors wrote it, with its slots unfilled."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    name: str | None = None
    title: str | None = None
    question_type: str | None = None
    question: str | None = None
    question_paraphrases: list[str] = Field(default_factory=list)
    prefix: str = ""
    suffix: str = ""
    options: list[str] = Field(default_factory=list)
    scenarios: list[str] = Field(default_factory=list)
    func_name: str | None = None
    guesser_prompt: str | None = None
    guesser_question_type: str | None = None

    def wordings(self, newlines: bool = False) -> tuple[str, ...]:
        r"""Every wording as it is sent: prefix, paraphrase, and the suffix after a blank line.

        `newlines` turns a literal backslash-n into a line end; without it the text is as the
        authors sent it.
        """
        stems = [self.question] if self.question is not None else self.question_paraphrases
        texts = [f"{self.prefix}{s}" + (f"\n\n{self.suffix}" if self.suffix else "") for s in stems]
        return tuple(t.replace(LITERAL_NEWLINE, "\n") if newlines else t for t in texts)


def read_text(path: Path) -> str:
    """A file's text with line feeds only.

    Raises:
        UsageError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")  # universal newlines
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from error


def yaml_entries(path: Path) -> list[dict[str, object]]:
    """The mappings that a question file lists.

    Raises:
        UsageError: Invalid YAML (the message names the line), or not a list of mappings.
    """
    try:
        loaded: object = yaml.safe_load(read_text(path))
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: invalid YAML: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: invalid YAML: {type(error).__name__}") from error
    if not isinstance(loaded, list) or not all(isinstance(entry, dict) for entry in loaded):
        raise UsageError(f"{path}: not a list of questions, each a mapping with a `name`")
    return [{str(key): value for key, value in entry.items()} for entry in loaded]


def read_questions(path: Path) -> tuple[ReleasedQuestion, ...]:
    """The questions of a YAML file; fields that the release does not have elsewhere are left out.

    Raises:
        UsageError: As `yaml_entries`, or a field holds the wrong kind of value.
    """
    questions: list[ReleasedQuestion] = []
    for number, entry in enumerate(yaml_entries(path), 1):
        try:
            questions.append(ReleasedQuestion.model_validate(entry))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise UsageError(
                f"{path}, question {number}: {place}: {fault['msg']}, not {fault['input']!r}"
            ) from error
    return tuple(questions)


def read_words(path: Path) -> tuple[str, ...]:
    """The words of a word list, one a line, empty lines left out. Errors as in `read_text`."""
    return tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
