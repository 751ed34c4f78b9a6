"""Answers read from the probabilities of a reply's first token."""

import math
from collections.abc import Collection, Mapping

from inspect_ai.model import Logprob, Logprobs

MULTI_TOKEN = "multi_token_candidates"
"""Why a sample is unscored whose answers take more than one token."""


NOTABLE = 0.01
"""The probability from which a token that begins a candidate tells of split candidates."""


def first_token_weights(
    logprobs: Logprobs | None, reply: str, candidates: Collection[str]
) -> dict[str, float] | str:
    """The probability of every first token that the model reported, or why they are no answers.

    They are answers only where every candidate is one token. Nothing but the reply itself tells:
    the reason is `multi_token_candidates` when a candidate is hyphenated, when the reply is a
    candidate that took several tokens, when a likely token is only the beginning of a candidate, or
    when candidates begin other ones (8 and 85) and none of the longer is a token.
    It is `scoring_failed` when there are no probabilities.
    """
    content = [token for token in logprobs.content if token.token.strip()] if logprobs else []
    if not content:
        return "scoring_failed"
    tokens = _probabilities(content[0])
    if _takes_several(candidates, tokens, content[0].token, reply):
        return MULTI_TOKEN
    return tokens


def _probabilities(first: Logprob) -> dict[str, float]:
    """Probability by token text, tokens that differ only in blanks taken together."""
    listed = first.top_logprobs or []
    pairs = [(top.token, top.logprob) for top in listed] or [(first.token, first.logprob)]
    weights: dict[str, float] = {}
    for token, logprob in pairs:
        text = token.strip()
        weights[text] = weights.get(text, 0.0) + math.exp(logprob)
    return weights


def _takes_several(
    candidates: Collection[str], tokens: Mapping[str, float], first: str, reply: str
) -> bool:
    """Whether some candidate is more than one token, as far as one reply can show."""
    if any(not candidate.isalnum() for candidate in candidates):
        return True
    known = {candidate.lower() for candidate in candidates}
    said = reply.strip().strip(".!\"'").lower()
    if said in known and said != first.strip().lower():
        return True
    likely = {token.lower() for token, weight in tokens.items() if token and weight >= NOTABLE}
    if any(name.startswith(token) for token in likely - known for name in known):
        return True
    # Where one candidate begins another (8 and 85), a single digit is an answer only if the
    # vocabulary has the longer ones too, which then stand among the likeliest tokens.
    longer = {name for name in known for short in known if name != short and name.startswith(short)}
    return bool(longer) and not longer & {token.lower() for token in tokens}
