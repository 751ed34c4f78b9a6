"""Sampled replies to many prompts at once; draws that agree so far are computed only once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from selfaware.providers.chance import distribution, entropy
from selfaware.providers.requests import Drawn, Sampling, Stop, Token
from selfaware.providers.spelling import decode

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_BYTES = 512 * 2**20
"""What the caches and logits of the draws of one pass may take together."""


@dataclass(frozen=True)
class Job:
    """Draws `first` to `last` (exclusive) of one prompt."""

    prompt: Sequence[int]
    sampling: Sampling
    entropy: tuple[int, ...] | None
    first: int
    last: int


@dataclass
class _Draw:
    """One reply in the making; `node` is the row that holds its text so far."""

    job: int
    number: int
    node: int
    ids: list[int] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    text: str | None = None
    stop: Stop | None = None


def sample(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Sequence[int]],
    samplings: Sequence[Sampling],
    ends: Sequence[int],
    identity: str,
) -> list[tuple[Drawn, ...]]:
    """The replies to each prompt, `samplings[i].choices` of them.

    `ends` are the tokens that end a turn, `identity` names the weights. Each prompt draws from a
    random stream of its own, so with a seed its replies don't depend on what it is batched with.
    """
    per_token, per_row = _bytes(model)
    drawn: list[tuple[Drawn, ...]] = [() for _ in prompts]
    batch: list[tuple[int, Job]] = []
    longest, rows = 0, 0

    def flush() -> None:
        if batch:
            jobs = [job for _, job in batch]
            for (i, _), replies in zip(batch, _draw(model, tokenizer, jobs, ends), strict=True):
                drawn[i] += replies
            batch.clear()

    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
        prompt, sampling = prompts[i], samplings[i]
        seed = sampling.seed
        stream = None if seed is None else entropy(seed, prompt, identity)
        length = len(prompt) + sampling.max_tokens
        room = max(1, _BYTES // (length * per_token + per_row))
        for first in range(0, sampling.choices, room):
            last = min(first + room, sampling.choices)
            need = (rows + last - first) * (max(longest, length) * per_token + per_row)
            if batch and need > _BYTES:
                flush()
                longest, rows = 0, 0
            batch.append((i, Job(prompt, sampling, stream, first, last)))
            longest, rows = max(longest, length), rows + last - first
    flush()
    return drawn


def _bytes(model: "PreTrainedModel") -> tuple[int, int]:
    config, size = model.config.get_text_config(), model.dtype.itemsize
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    shared = getattr(config, "num_key_value_heads", None) or heads
    return 2 * config.num_hidden_layers * shared * width * size, 12 * config.vocab_size


def _draw(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    jobs: Sequence[Job],
    ends: Sequence[int],
) -> list[tuple[Drawn, ...]]:
    import torch

    device = model.device
    longest = max(len(job.prompt) for job in jobs)
    ids = torch.zeros(len(jobs), longest, dtype=torch.long)
    mask = torch.zeros(len(jobs), longest, dtype=torch.long)
    for row, job in enumerate(jobs):
        ids[row, longest - len(job.prompt) :] = torch.tensor(job.prompt)
        mask[row, longest - len(job.prompt) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    streams = [np.random.default_rng(job.entropy) for job in jobs]
    draws = [
        _Draw(job=j, number=n, node=j)
        for j, job in enumerate(jobs)
        for n in range(job.last - job.first)
    ]
    live = draws
    while True:
        # A stream gives a number to every choice at every step, whether it still runs or not.
        luck = [
            stream.random(job.sampling.choices)[job.first : job.last]
            for stream, job in zip(streams, jobs, strict=True)
        ]
        _extend(live, jobs, luck, out.logits[:, -1].float(), tokenizer, ends)
        live = [draw for draw in live if draw.stop is None]
        if not live:
            break
        # Draws with the same text so far are one row: a child is a row and its next token.
        children: dict[tuple[int, int], int] = {}
        for draw in live:
            draw.node = children.setdefault((draw.node, draw.ids[-1]), len(children))
        parents = [row for row, _ in children]
        rows = torch.tensor(parents, device=device)
        cache = out.past_key_values
        if parents != list(range(len(mask))):
            cache.batch_select_indices(rows)
        mask = torch.cat([mask[rows], mask.new_ones(len(children), 1)], dim=-1)
        out = model(
            input_ids=torch.tensor([[token] for _, token in children], device=device),
            attention_mask=mask,
            position_ids=mask.sum(-1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
        )
    replies: list[list[Drawn]] = [[] for _ in jobs]
    for draw in draws:
        replies[draw.job].append(_finish(draw, tokenizer, ends))
    return [tuple(each) for each in replies]


def _extend(
    live: Sequence[_Draw],
    jobs: Sequence[Job],
    luck: Sequence["np.ndarray[tuple[int], np.dtype[np.float64]]"],
    logits: "torch.Tensor",
    tokenizer: "PreTrainedTokenizerBase",
    ends: Sequence[int],
) -> None:
    import torch

    at: dict[int, list[_Draw]] = {}
    for draw in live:
        at.setdefault(draw.node, []).append(draw)
    for node, here in at.items():
        job = jobs[here[0].job]
        how = job.sampling
        chosen: list[int]
        if how.temperature == 0:
            chosen = [int(logits[node].argmax())] * len(here)
        else:
            reach = distribution(logits[node], how).cumsum(-1)
            points = torch.tensor([luck[draw.job][draw.number] for draw in here])
            points = points.to(reach) * reach[-1]
            found = torch.searchsorted(reach, points, right=True)
            chosen = found.clamp(max=len(reach) - 1).tolist()
        known: dict[int, Token] = {}
        if how.top_logprobs is not None:
            logprobs = logits[node].log_softmax(-1)
            for token in set(chosen):
                known[token] = _token(token, logprobs, how.top_logprobs, tokenizer)
        for draw, token in zip(here, chosen, strict=True):
            draw.ids.append(token)
            if token in ends:
                draw.stop = "stop"
                continue
            if known:
                draw.tokens.append(known[token])
            if how.stop:
                text = decode(tokenizer, draw.ids)
                cuts = [text.find(stop) for stop in how.stop if stop in text]
                if cuts:
                    draw.text, draw.stop = text[: min(cuts)], "stop"
                    continue
            if len(draw.ids) >= how.max_tokens:
                draw.stop = "max_tokens"


def _token(
    token: int, logprobs: "torch.Tensor", top: int, tokenizer: "PreTrainedTokenizerBase"
) -> Token:
    best = logprobs.topk(min(top, len(logprobs)))
    return Token(
        text=decode(tokenizer, [token]),
        logprob=float(logprobs[token]),
        top=tuple(
            (decode(tokenizer, [other]), value)
            for other, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
    )


def _finish(draw: _Draw, tokenizer: "PreTrainedTokenizerBase", ends: Sequence[int]) -> Drawn:
    assert draw.stop is not None
    ids = draw.ids[:-1] if draw.ids[-1] in ends else draw.ids
    text, tokens = decode(tokenizer, ids), draw.tokens
    if draw.text is not None:
        text = draw.text
        kept = next(n for n in range(len(ids) + 1) if len(decode(tokenizer, ids[:n])) >= len(text))
        tokens = tokens[:kept]
    return Drawn(text=text, stop=draw.stop, generated=len(draw.ids), tokens=tuple(tokens))
