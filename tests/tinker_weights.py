"""Tiny models that a Tinker server of tests trains and samples from, with real gradients."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from peft import set_peft_model_state_dict as set_state
from transformers import LlamaForCausalLM

GROUPS = {
    "train_attn": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "train_mlp": ["gate_proj", "up_proj", "down_proj"],
    "train_unembed": ["lm_head"],
}


@lru_cache(maxsize=4)
def base_model(folder: str) -> LlamaForCausalLM:
    return LlamaForCausalLM.from_pretrained(folder).eval()


@dataclass
class Trained:
    """A model in training; `lora` is the configuration that the client asked for."""

    base: str
    lora: dict[str, Any]
    metadata: dict[str, str]
    rates: list[float] = field(default_factory=list)
    batches: list[list[list[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        torch.manual_seed(self.lora.get("seed") or 0)
        modules = [each for name, group in GROUPS.items() if self.lora[name] for each in group]
        lora = LoraConfig(
            r=self.lora["rank"], lora_alpha=32, target_modules=modules, task_type="CAUSAL_LM"
        )
        peft = get_peft_model(copy.deepcopy(base_model(self.base)), lora)
        assert isinstance(peft, PeftModel)
        self.model = peft
        weights = [weight for weight in peft.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(weights)

    def forward_backward(
        self, data: Sequence[tuple[list[int], list[int], list[float]]]
    ) -> list[list[float]]:
        """Adds gradients of the weighted sum of losses up; returns the targets' logprobs."""
        self.batches.append([ids for ids, _, _ in data])
        said = []
        total = torch.zeros(())
        for ids, targets, weights in data:
            logits = self.model(input_ids=torch.tensor([ids])).logits[0]
            logprobs = logits.log_softmax(-1)[range(len(targets)), targets]
            total = total - (logprobs * torch.tensor(weights)).sum()
            said.append(logprobs.tolist())
        total.backward()
        return said

    def optim_step(self, adam: dict[str, float]) -> None:
        self.rates.append(adam["learning_rate"])
        for group in self.optimizer.param_groups:
            group["lr"], group["eps"] = adam["learning_rate"], adam["eps"]
            group["betas"] = (adam["beta1"], adam["beta2"])
            group["weight_decay"] = adam["weight_decay"]
        if adam["grad_clip_norm"]:
            torch.nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def state(self) -> dict[str, Any]:
        weights = get_peft_model_state_dict(self.model)
        return copy.deepcopy({"weights": weights, "optimizer": self.optimizer.state_dict()})

    def load(self, state: dict[str, Any]) -> None:
        set_state(self.model, copy.deepcopy(state["weights"]))
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))


@dataclass(frozen=True)
class Sampled:
    tokens: list[int]
    logprobs: list[float]
    top: list[list[tuple[int, float]]]
    ended: bool


def sample(
    model: torch.nn.Module, prompt: list[int], asked: dict[str, Any], ends: Sequence[int], top: int
) -> list[Sampled]:
    """Draws replies token by token."""
    params = asked["sampling_params"]
    stop = params.get("stop")
    if isinstance(stop, list) and stop and isinstance(stop[0], int):
        ends = stop
    random = torch.Generator().manual_seed(params.get("seed") or 0)
    drawn = []
    for _ in range(asked["num_samples"]):
        ids, logprobs, tops = list(prompt), [], []
        while len(ids) - len(prompt) < (params.get("max_tokens") or 16):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([ids])).logits[0, -1].clone()
            said = logits.log_softmax(-1)
            if params["temperature"] == 0:
                token = int(said.argmax())
            else:
                odds = (logits / params["temperature"]).softmax(-1)
                token = int(torch.multinomial(odds, 1, generator=random))
            ids.append(token)
            logprobs.append(float(said[token]))
            best = said.topk(max(top, 1))
            tops.append(list(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
            if token in ends:
                break
        made = ids[len(prompt) :]
        drawn.append(Sampled(made, logprobs, tops if top else [], made[-1] in ends))
    return drawn


def targets(
    model: torch.nn.Module, prompt: list[int], wanted: list[list[int]]
) -> list[list[float]]:
    """The logprobs of the wanted ids at each place of a prompt after the first; 0 for id -1."""
    with torch.inference_mode():
        said = model(input_ids=torch.tensor([prompt])).logits[0].log_softmax(-1)
    return [
        [0.0 if token < 0 else float(said[place, token]) for token in row]
        for place, row in enumerate(wanted)
    ]
