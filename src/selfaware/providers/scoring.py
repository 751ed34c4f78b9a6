"""Exact log-probabilities of candidate replies, all of them in one pass over the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

_BYTES = 256 * 2**20
"""What the logits and the mask of one pass may take together."""

_TREE_FAMILIES = frozenset(
    {"gemma", "granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"}
)
"""Model types that are known to honor a four-dimensional mask together with position ids."""


@dataclass(frozen=True)
class Trie:
    """Candidates as a tree of tokens; node 0 is the prompt's end, parents precede children.

    `leaf[i]` is the node at which candidate i is complete.
    """

    token: tuple[int, ...]
    parent: tuple[int, ...]
    depth: tuple[int, ...]
    leaf: tuple[int, ...]


def trie(candidates: Sequence[Sequence[int]]) -> Trie:
    """The tree of these token sequences, shared beginnings merged."""
    token, parent, depth, leaf = [-1], [-1], [0], []
    known: dict[tuple[int, int], int] = {}
    for candidate in candidates:
        node = 0
        for each in candidate:
            child = known.get((node, each))
            if child is None:
                child = known[node, each] = len(token)
                token.append(each)
                parent.append(node)
                depth.append(depth[node] + 1)
            node = child
        leaf.append(node)
    return Trie(tuple(token), tuple(parent), tuple(depth), tuple(leaf))


def score(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[int]],
    ends: Sequence[int],
) -> list[list[float]]:
    """For each prompt, log P(reply is exactly the candidate, then any end-of-turn token).

    `ends` are the tokens that end a turn; their probabilities add up. The candidates of a prompt
    share one pass: its nodes stand after the prompt and each sees only the prompt and its own
    ancestors, so a set of 101 one-token answers costs 101 extra positions and no copy of a cache.
    Models that can't take such a mask read every prompt and candidate as a row of its own.
    """
    tree = trie(candidates)
    read = _read_tree if takes_tree(model.config) else _read_rows
    width = len(tree.token)
    vocabulary = model.config.get_text_config().vocab_size
    scores: list[list[float]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    while order:
        length = len(prompts[order[-1]]) + width
        room = max(1, _BYTES // (4 * (width * vocabulary * 2 + length * length)))
        now, order = order[-room:], order[:-room]
        for i, row in zip(now, read(model, [prompts[i] for i in now], tree, ends), strict=True):
            scores[i] = row
    return scores


def takes_tree(config: "PretrainedConfig") -> bool:
    """Whether a model can score a tree of candidates in one pass."""
    kinds = getattr(config, "layer_types", None)
    sliding = set(kinds) != {"full_attention"} if kinds else getattr(config, "sliding_window", None)
    return (
        config.model_type in _TREE_FAMILIES
        and not sliding
        and config._attn_implementation in ("sdpa", "eager")
    )


def _read_tree(
    model: "PreTrainedModel", prompts: Sequence[Sequence[int]], tree: Trie, ends: Sequence[int]
) -> list[list[float]]:
    import torch

    longest, width = max(map(len, prompts)), len(tree.token) - 1
    size = longest + width
    ids = torch.zeros(len(prompts), size, dtype=torch.long)
    places = torch.zeros(len(prompts), size, dtype=torch.long)
    sees = torch.zeros(len(prompts), size, size, dtype=torch.bool)
    nodes = torch.zeros(width + 1, width + 1, dtype=torch.bool)
    for node in range(1, width + 1):
        nodes[node] = nodes[tree.parent[node]]
        nodes[node, node] = True
    causal = torch.ones(longest, longest, dtype=torch.bool).tril()
    for row, prompt in enumerate(prompts):
        start = longest - len(prompt)
        ids[row, start:longest] = torch.tensor(prompt)
        places[row, start:longest] = torch.arange(len(prompt))
        sees[row, start:longest, start:longest] = causal[start:, start:]
        sees[row, longest:, start:longest] = True
        places[row, longest:] = torch.tensor(tree.depth[1:]) + len(prompt) - 1
    ids[:, longest:] = torch.tensor(tree.token[1:])
    sees[:, longest:, longest:] = nodes[1:, 1:]
    # Padding sees itself: a softmax over nothing would be NaN.
    sees |= torch.eye(size, dtype=torch.bool)
    device, dtype = model.device, model.dtype
    mask = torch.zeros(sees.shape, dtype=dtype).masked_fill_(~sees, torch.finfo(dtype).min)
    logits = model(
        input_ids=ids.to(device),
        attention_mask=mask[:, None].to(device),
        position_ids=places.to(device),
        use_cache=False,
        logits_to_keep=width + 1,
    ).logits
    return _sum_up(logits, tree, ends)


def _read_rows(
    model: "PreTrainedModel", prompts: Sequence[Sequence[int]], tree: Trie, ends: Sequence[int]
) -> list[list[float]]:
    import torch

    paths: list[list[int]] = [[]]
    for node in range(1, len(tree.token)):
        paths.append([*paths[tree.parent[node]], tree.token[node]])
    rows = []
    for prompt in prompts:
        logits = []
        for path in paths:
            ids = torch.tensor([[*prompt, *path]], device=model.device)
            logits.append(model(input_ids=ids, use_cache=False).logits[:, -1:])
        rows += _sum_up(torch.cat(logits, dim=1), tree, ends)
    return rows


def _sum_up(logits: "torch.Tensor", tree: Trie, ends: Sequence[int]) -> list[list[float]]:
    import torch

    logits = logits.float()
    total = logits.logsumexp(-1)
    parent, token = torch.tensor(tree.parent[1:]), torch.tensor(tree.token[1:])
    steps = (logits[:, parent, token] - total[:, parent]).double().cpu()
    end = (logits[:, :, list(ends)].logsumexp(-1) - total).double().cpu()
    reached = torch.zeros(len(logits), len(tree.token), dtype=torch.float64)
    for node in range(1, len(tree.token)):
        reached[:, node] = reached[:, tree.parent[node]] + steps[:, node - 1]
    scores: list[list[float]] = (reached + end)[:, list(tree.leaf)].tolist()
    return scores
