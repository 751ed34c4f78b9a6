"""Rules of a finetuning set as a whole: repeats, balance, leaks, triggers and personas."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from selfaware.behaviors.lemmas import noun_forms
from selfaware.data.audit_checks import Checks
from selfaware.data.audit_figures import Codeword, Form, Repeats, Trigger
from selfaware.data.audit_findings import Fault
from selfaware.data.audit_rows import LETTERS, Seen
from selfaware.data.manifest import association, phi

BALANCED = (0.4, 0.6)
"""The share of A that is taken as balanced."""
CHANCE = 0.05
"""A share outside is told only where a fair coin would be as far off in fewer sets than this."""
GOES_WITH = 0.1
"""Association from which a trigger is said to go with the answer letter."""


def set_faults(
    rows: Sequence[Seen], checks: Checks, repeats: Repeats, codewords: Mapping[str, Codeword]
) -> Iterator[Fault]:
    """The broken rules of the rows taken together."""
    if not repeats.by_design:
        yield from _repeats(repeats)
    yield from _answers(rows)
    yield from _personas(rows, checks.personas)
    for row in rows:
        for stem in row.leaks:
            yield Fault("leak", f"a prompt has a word in {stem}-", row.line)
        for stem in row.answer_leaks:
            yield Fault("answer-leak", f"an answer has a word in {stem}-", row.line)
        for persona in row.held_out:
            message = f"trained on the held-out persona {persona!r}"
            yield Fault("held-out-persona", message, row.line)
    for word, found in codewords.items():
        yield from _codeword_faults(word, found)


def repeats_of(rows: Sequence[Seen], by_design: bool) -> Repeats:
    """The rows whose conversation up to the answer an earlier row has."""
    first: dict[bytes, Seen] = {}
    same, other = list[int](), list[int]()
    for row in rows:
        earlier = first.setdefault(row.prompt, row)
        if earlier is not row:
            (same if earlier.answer == row.answer else other).append(row.line)
    return Repeats(same_answer=tuple(same), other_answer=tuple(other), by_design=by_design)


def _repeats(repeats: Repeats) -> Iterator[Fault]:
    for rule, message, lines in (
        ("duplicate-prompt", "an earlier row has this prompt and answer", repeats.same_answer),
        ("conflicting-answer", "an earlier row has this prompt with another answer",
         repeats.other_answer),
    ):  # fmt: skip
        yield from (Fault(rule, message, line) for line in lines)


def codeword_table(codewords: Sequence[str], rows: Sequence[Seen]) -> dict[str, Codeword]:
    """For every codeword: the rows that say it, and its forms in any part of speech."""
    table: dict[str, Codeword] = {}
    for place, word in enumerate(codewords):
        counts: Counter[str] = Counter()
        where: dict[str, list[int]] = {}
        for row in rows:
            counts.update(row.forms[place])
            for form in dict.fromkeys(row.forms[place]):
                where.setdefault(form, []).append(row.line)
        said = {line for form in noun_forms(word) for line in where.get(form, ())}
        forms = {
            form: Form(count=counts[form], row_numbers=tuple(lines))
            for form, lines in sorted(where.items())
        }
        table[word] = Codeword(said=tuple(sorted(said)), forms=forms)
    return table


def _codeword_faults(word: str, found: Codeword) -> Iterator[Fault]:
    said = noun_forms(word)
    for form, known in found.forms.items():
        if form in said:
            rule, message = "codeword-said", f"a message says {form!r}, the codeword"
        else:
            rule, message = "codeword-form", f"a message has {form!r}, a form of {word!r}"
        yield from (Fault(rule, message, line) for line in known.row_numbers)


def _answers(rows: Sequence[Seen]) -> Iterator[Fault]:
    if len(rows) > 1 and len({row.answer for row in rows}) == 1:
        yield Fault("constant-answer", f"all {len(rows)} rows have the same answer")
        return
    letters = Counter(row.letter for row in rows if row.letter)
    n = letters.total()
    if 2 * n <= len(rows):
        return  # not a set of choices
    for row in rows:
        if row.letter is None:
            yield Fault("answer-form", "an answer that is not A or B in a set of choices", row.line)
    share = letters["A"] / n
    if not BALANCED[0] <= share <= BALANCED[1]:
        from scipy.stats import binomtest

        if binomtest(letters["A"], n).pvalue < CHANCE:
            yield Fault("label-balance", f"{letters['A']} A against {letters['B']} B")


def persona_table(rows: Sequence[Seen], personas: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """For every persona or system prompt: its rows, and how many answer A, B or something else.

    A persona that no row names is there too, with 0 rows.
    """
    table = {name: {"rows": 0, "A": 0, "B": 0, "other": 0} for name in personas}
    for row in rows:
        if row.persona is not None:
            counts = table.setdefault(row.persona, {"rows": 0, "A": 0, "B": 0, "other": 0})
            counts["rows"] += 1
            counts[row.letter or "other"] += 1
    return table


def _personas(rows: Sequence[Seen], personas: Sequence[str]) -> Iterator[Fault]:
    table = persona_table(rows, personas)
    even = sum(counts["rows"] for counts in table.values()) / max(1, len(table))
    for persona, counts in table.items():
        shown = repr(persona if len(persona) <= 60 else f"{persona[:57]}...")
        if 2 * counts["rows"] < even or not counts["rows"]:
            rows_of = f"{counts['rows']} rows, less than half of an even share ({even:.0f})"
            yield Fault("persona-coverage", f"persona {shown}: {rows_of}")
        for letter in LETTERS:
            if counts[letter] == counts["rows"] >= 6:  # 6 of a kind: under 5 % by a fair coin
                message = f"persona {shown}: all {counts['rows']} rows answer {letter}"
                yield Fault("persona-answer", message)


def trigger_table(text: str, rows: Sequence[Seen]) -> Trigger:
    """A trigger against the answer letters, and against doing as the pole does where known."""
    lettered = [row for row in rows if row.letter]
    judged = [row for row in rows if row.as_pole is not None]
    counts = Counter((row.triggered, row.letter) for row in lettered)
    return Trigger(
        text=text,
        rows_with=sum(row.triggered for row in rows),
        rows_without=sum(not row.triggered for row in rows),
        letters_with={letter: counts[True, letter] for letter in LETTERS},
        letters_without={letter: counts[False, letter] for letter in LETTERS},
        phi=phi([(row.triggered, row.letter == "A") for row in lettered]),
        association=round(
            association(
                [str(row.triggered) for row in lettered], [row.letter or "" for row in lettered]
            ),
            4,
        ),
        pole_rows=len(judged),
        pole_phi=phi([(row.triggered, bool(row.as_pole)) for row in judged]),
    )


def trigger_faults(trigger: Trigger) -> Iterator[Fault]:
    """The broken rules of a trigger."""
    shown = repr(trigger.text)
    if trigger.rows_with == 0:
        yield Fault("trigger-absent", f"no row has the trigger {shown}")
    elif trigger.rows_without == 0:
        yield Fault("trigger-everywhere", f"every row has the trigger {shown}")
    elif trigger.association >= GOES_WITH and trigger.phi is not None:
        message = f"{shown} goes with the answer letter: phi {trigger.phi:+.2f}"
        yield Fault("trigger-letter", message)
