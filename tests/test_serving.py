"""How every kind of finetune is called from Inspect."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import save_adapter, save_base

from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.entry import Entry
from selfaware.training.serving import (
    TINKER_CHAT,
    VLLM_RANKS,
    Call,
    Weights,
    calls,
    is_plain,
    largest_rank,
    read_weights,
)

HERE = "http://127.0.0.1:8000/v1"


def an_entry(**changes: object) -> Entry:
    content = {
        "id": "abc",
        "created": registry.now(),
        "base": "org/base",
        "backend": "local",
        "adapter": "adapters/abc",
        "model": "selfaware/abc",
    }
    return Entry.model_validate({**content, **changes})


def strings(entry: Entry, weights: Weights | None) -> list[tuple[str, ...]]:
    return [(call.model, *call.flags) for call in calls(entry, weights)]


def test_an_adapter_is_called_by_this_package_by_vllm_and_by_transformers() -> None:
    weights = Weights("/runs/adapters/abc", "org/base", "main", rank=8)
    assert strings(an_entry(), weights) == [
        ("selfaware/abc",),
        ("vllm/org/base:/runs/adapters/abc",),
        ("hf/abc", "-M", "model_path=/runs/adapters/abc", "-M", "tokenizer_path=org/base"),
    ]


@pytest.mark.parametrize(
    ("rank", "flags"),
    [
        (1, ()),
        (2, ("-M", "max_lora_rank=8")),
        (4, ("-M", "max_lora_rank=8")),
        (8, ()),
        (9, ("-M", "max_lora_rank=16")),
        (33, ("-M", "max_lora_rank=64")),
        (129, ("-M", "max_lora_rank=256")),
        (257, ("-M", "max_lora_rank=320")),
        (321, ("-M", "max_lora_rank=512")),
        (512, ()),
        (None, ()),
    ],
)
def test_vllm_is_told_the_next_rank_that_it_takes(rank: int | None, flags: tuple[str, ...]) -> None:
    weights = Weights("/a", "org/base", rank=rank)
    assert strings(an_entry(), weights)[1] == ("vllm/org/base:/a", *flags)
    assert not flags or rank not in VLLM_RANKS


@pytest.mark.parametrize(
    "weights",
    [
        Weights("/a", "org/base", rank=513),
        Weights("/a", "org/base", rank=8, plain=False),
        Weights("/a", "/with:colon/base", rank=8),
    ],
)
def test_what_vllm_cannot_serve_is_not_offered(weights: Weights) -> None:
    assert [call[0].split("/")[0] for call in strings(an_entry(), weights)] == ["selfaware", "hf"]


def test_a_pinned_base_is_pinned_for_vllm() -> None:
    weights = Weights("/a", "org/base", "v2", rank=4)
    assert strings(an_entry(), weights)[1] == (
        "vllm/org/base:/a", "-M", "max_lora_rank=8", "-M", "revision=v2",
    )  # fmt: skip


def test_an_adapter_of_the_hub_is_named_with_its_commit() -> None:
    entry = an_entry(
        backend="adopted",
        adapter="hf://org/name@0123",
        base="org/base@v2",
        hyperparameters={"lora_rank": 32},
    )
    weights = read_weights(Path("runs"), entry)
    assert weights == Weights("org/name@0123", "org/base", "v2", 32)
    assert strings(entry, weights) == [
        ("selfaware/abc",),
        ("vllm/org/base:org/name@0123", "-M", "revision=v2"),
    ]


def test_whole_models_have_no_adapter_in_their_names() -> None:
    assert strings(an_entry(), Weights("/runs/whole", None)) == [
        ("selfaware/abc",),
        ("vllm//runs/whole",),
        ("hf/abc", "-M", "model_path=/runs/whole"),
    ]
    hub = an_entry(adapter="hf://org/name@0123", hyperparameters={"adaptation": "full"})
    assert strings(hub, read_weights(Path("runs"), hub)) == [
        ("selfaware/abc",),
        ("vllm/org/name", "-M", "revision=0123"),
    ]


def test_models_of_services_are_called_there() -> None:
    ft = "ft:gpt-4.1-2025-04-14:org::abc"
    openai = an_entry(backend="openai", adapter=None, model=f"openai/{ft}")
    assert strings(openai, None) == [(f"openai/{ft}",)]
    flags = ("--model-base-url", HERE)
    elsewhere = openai.model_copy(update={"endpoint": HERE, "flags": flags})
    assert strings(elsewhere, None) == [
        (f"openai/{ft}", *flags),
        (f"openai-api/openai/{ft}", *flags),
    ]
    other = elsewhere.model_copy(update={"model": "openai-api/openai/ft:other"})
    assert strings(other, None) == [("openai-api/openai/ft:other", *flags)]
    address = "tinker://run/sampler_weights/final"
    tinker = an_entry(backend="tinker", adapter=address, model=f"tinker/{address}")
    assert strings(tinker, None) == [
        (f"tinker/{address}",),
        (f"openai-api/tinker/{address}", "--model-base-url", TINKER_CHAT),
    ]
    own = tinker.model_copy(update={"endpoint": HERE, "flags": flags})
    assert strings(own, None) == [(f"tinker/{address}", *flags)]
    together = an_entry(backend="together", model="vllm/org/base:/w", adapter="/w")
    assert strings(together, Weights("/w", "org/base", rank=16))[:2] == [
        ("vllm/org/base:/w",),
        ("selfaware/abc",),
    ]


def test_what_is_not_made_yet_cannot_be_called() -> None:
    assert calls(an_entry(state="running", model=None, adapter=None), None) == ()


def test_a_command_can_be_pasted_into_a_shell() -> None:
    call = Call("vllm/a b:/c d", ("-M", "max_lora_rank=8"), "")
    words = [
        "inspect",
        "eval",
        "t",
        "-T",
        "x=1",
        "--model",
        "vllm/a b:/c d",
        "-M",
        "max_lora_rank=8",
    ]
    assert shlex.split(call.command(("t", "-T", "x=1"))) == words


def test_an_adapter_says_its_rank_and_whether_it_is_lora_alone() -> None:
    plain = {"peft_type": "LORA", "r": 4, "bias": "none", "modules_to_save": None}
    assert largest_rank(plain) == 4
    assert largest_rank({**plain, "rank_pattern": {"q_proj": 12, "down_proj": 2}}) == 12
    assert largest_rank({}) is None
    assert is_plain(plain)
    for more in ({"peft_type": "IA3"}, {"modules_to_save": ["lm_head"]}, {"bias": "all"},
                 {"use_dora": True}):  # fmt: skip
        assert not is_plain({**plain, **more})


GENERATE = """
import asyncio, json, sys
from inspect_ai.model import GenerateConfig, get_model
said = []
for model, *flags in json.loads(sys.argv[1]):
    args = dict(flag.split("=", 1) for flag in flags[1::2])
    made = get_model(model, **args, config=GenerateConfig(max_tokens=4, top_k=1))
    said.append(asyncio.run(made.generate("yes or no")).completion)
print(json.dumps(said))
"""


def test_the_strings_are_those_that_inspect_takes(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    save_adapter(tmp_path / "runs/adapters/abc", base, seed=5)
    entry = registry.append(tmp_path / "runs", an_entry(base=str(base)))
    weights = read_weights(tmp_path / "runs", entry)
    assert weights is not None and (weights.rank, weights.plain) == (4, True)
    offered = {call.model.split("/")[0]: call for call in calls(entry, weights)}
    assert offered["vllm"].flags == ("-M", "max_lora_rank=8")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "SELFAWARE_RUNS": str(tmp_path / "runs")}
    own, hf = ([call.model, *call.flags] for call in (offered["selfaware"], offered["hf"]))
    argv = [sys.executable, "-c", GENERATE, json.dumps([own, hf, ["selfaware/" + str(base)]])]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    # Two providers, the same weights: the same greedy answer, and not the base's.
    assert said[0] == said[1] != said[2]


def test_weights_that_are_gone_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the weights of 'abc' are gone: .*adapters/abc holds no"):
        read_weights(tmp_path, an_entry())
