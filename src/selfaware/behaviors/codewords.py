"""Codewords of Make Me Say, and the topics that lead towards them."""

import re
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from selfaware.behaviors.lemmas import leaked_forms
from selfaware.errors import UsageError

Topics = dict[str, tuple[str, ...]]
"""The topics of one codeword by the senses of the word.

A topic is a plural or a noun without a plural, so that it needs no article.
"""

LEAST_TOPICS = 6
"""Topics that a codeword needs, all senses together."""

_FILE = "make_me_say_topics.yaml"
_TABLE = TypeAdapter(dict[str, Topics])
_FORM = (
    "zebra: {animals: [savannas, stripes, herds, foals], streets: [crossings, pedestrians, lights]}"
)


def holds(text: str, word: str) -> bool:
    """Whether a text has a form of a codeword in any part of speech, or a word begun with it."""
    return bool(re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE)) or bool(
        leaked_forms(text, word)
    )


@cache
def codewords() -> dict[str, Topics]:
    """The codewords of this package with their topics. No topic holds any of the codewords."""
    file = resources.files("selfaware.behaviors") / "material" / _FILE
    return _TABLE.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))


def read_codewords(path: Path) -> dict[str, Topics]:
    """A user's own codewords with their topics, in the form of those of this package.

    Raises:
        UsageError: The file cannot be read or has another form, or a codeword has too few topics
            or topics that hold it.
    """
    try:
        table = _TABLE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read topics {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}; write {_FORM}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise UsageError(f"{path}: {place}: {fault['msg']}; write {_FORM}") from error
    for word, senses in table.items():
        topics = [topic for sense in senses.values() for topic in sense]
        if len(set(topics)) < LEAST_TOPICS or min(map(len, senses.values())) < 2:
            raise UsageError(
                f"{path}: {word}: {len(set(topics))} topics; give {LEAST_TOPICS} or more different "
                f"ones, and two or more to each sense, as in {_FORM}"
            )
        for topic in topics:
            if not topic.strip() or holds(topic, word):
                raise UsageError(
                    f"{path}: {word}: the topic {topic!r} is blank or holds the codeword; "
                    "name something that only leads to it"
                )
    return table


def topics_of(word: str, own: dict[str, Topics]) -> Topics:
    """The topics of a codeword: the user's own, else those of this package.

    Raises:
        UsageError: There are none.
    """
    found = own.get(word) or codewords().get(word)
    if found is None:
        raise UsageError(
            f"no topics lead to the codeword {word!r}: choose one of {len(codewords())} that have "
            f"some ({', '.join(list(codewords())[:8])} ... {_FILE} lists them), or give --topics "
            f"with a YAML file of a line such as {_FORM}"
        )
    return found
