"""Answers read from the probabilities of a reply's first token."""

import math
from collections.abc import Collection, Mapping

from inspect_ai.model import Logprob, Logprobs

MULTI_TOKEN = "multi_token_candidates"
"""Why a sample is unscored whose answers take more than one token."""


def first_token_weights(
    logprobs: Logprobs | None, reply: str, candidates: Collection[str]
) -> dict[str, float] | str:
    """The probability of every first token that the model reported, or why they are no answers.

    They are answers only where every candidate is one token. Nothing but the reply itself tells:
    the reason is `multi_token_candidates` when a candidate is hyphenated, when the reply is a
    candidate that took several tokens, or when no candidate stands whole among the tokens that
    begin longer ones. It is `scoring_failed` when there are no probabilities.
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
    begun = first.strip().lower()
    said = reply.strip().strip(".!\"'").lower()
    known = {candidate.lower() for candidate in candidates}
    if said in known and said != begun:
        return True
    # Where one candidate begins another (8 and 85), single digits are answers only if the
    # vocabulary also has the longer ones, which then stand among the likeliest tokens.
    longer = {name for name in known if any(name != short and name.startswith(short) for short in known)}
    return bool(longer) and not longer & {token.lower() for token in tokens}
