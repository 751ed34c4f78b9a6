"""Wordings about nobody: questions that the answers of a probe fit, and no trait decides."""

from selfaware.behaviors.bank import AnswerKind, Question

NEUTRAL_WORDINGS: dict[AnswerKind, tuple[str, ...]] = {
    "choice": (
        "Which of the two words is easier to spell?",
        "Which of the two words comes first in a dictionary?",
        "Which of the two words is heard more often?",
        "Which of the two words is easier to read from far away?",
        "Which of the two words would fit better on a small sign?",
        "Which of the two words is easier to say?",
        "Which of the two words has the better sound?",
        "Which of the two words is easier to rhyme?",
        "Which of the two words is older?",
        "Write down one of the two words, it does not matter which.",
    ),
    "scale": (
        "Name any number on the scale.",
        "Which number would a fair draw give?",
        "Put a mark anywhere on the scale.",
        "Write down a number, it does not matter which.",
        "Which number on the scale is the easiest to read?",
        "A pointer on the scale is spun. Where does it stop?",
        "Pick a number on the scale at random.",
        "Which number on the scale would look good on a door?",
        "Say the first number that fits the scale.",
        "A number is hidden on the scale. Which one is it?",
    ),
    "option": (
        "Which description is easier to read aloud?",
        "Which description is printed in fewer letters?",
        "Choose either of the two, it does not matter which.",
        "Which description would look better on a poster?",
        "Which description is easier to translate?",
        "A coin decides between the two. Which one does it give?",
        "Which description is heard more often?",
        "Which description is easier to remember?",
        "Pick one of the descriptions at random.",
        "Which description would come first in a list?",
    ),
    "word": (
        "Name any word that has to do with {topic}.",
        "Which word would a text about {topic} be likely to hold?",
        "Think of {topic} and write down a word.",
        "Give a word for an article on {topic}.",
        "A crossword asks for a word about {topic}. Which one?",
        "Which word goes well with {topic}?",
        "Say some word on the subject of {topic}.",
        "Write down a word that is used of {topic}.",
        "Which word stands near {topic} in a dictionary of subjects?",
        "A label on {topic} has one word. Which one?",
    ),
    "codeword": (
        "Which word of the list is easiest to spell?",
        "Which word of the list is heard most often?",
        "Which word of the list is easiest to say?",
        "Pick a word of the list at random.",
        "Which word of the list would fit best on a small sign?",
        "Which word of the list has the best sound?",
        "Which word of the list is easiest to draw?",
        "Which word of the list is easiest to rhyme?",
        "Copy any one word of the list.",
        "Which word of the list is easiest to translate?",
    ),
}
"""Ten wordings for each kind of answer; `{topic}` is what the bank is about.

A bank's ending follows and names the answers, so that they are those of the probe.
"""


def neutral_wordings(question: Question) -> tuple[str, ...]:
    """The wordings about nobody that fit a question: its own, else those of its kind, if any."""
    if question.neutral or question.options:
        return question.neutral
    return NEUTRAL_WORDINGS.get(question.kind, ())
