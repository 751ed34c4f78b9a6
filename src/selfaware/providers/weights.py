"""One base model in memory, serving any number of its adapters."""

import hashlib
import json
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from selfaware.errors import UsageError
from selfaware.providers.batching import Batcher
from selfaware.providers.requests import Reply, Request
from selfaware.providers.resolve import unknown
from selfaware.providers.sampling import sample
from selfaware.providers.scoring import score
from selfaware.providers.spelling import encode, end_tokens, reply_tokens
from selfaware.training.chat import generation_prompt

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_loaded: "WeakValueDictionary[tuple[str, str | None, str], Base]" = WeakValueDictionary()
_loading = threading.Lock()


def load_base(base: str, revision: str | None = None, device: str | None = None) -> "Base":
    """The base model in memory, loaded at most once while anything uses it.

    `base` is a resolved folder, or a hub id with its revision; `device` defaults to the GPU if
    there is one. On a CPU the weights are 32-bit floats, elsewhere they keep the type that they
    were saved in.

    Raises:
        UsageError: There is no such model, or it can't be loaded.
    """
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with _loading:
        known = _loaded.get((base, revision, device))
        if known is None:
            known = _loaded[base, revision, device] = Base(base, revision, device)
        return known


class Base:
    """A base model with its tokenizer and the adapters that were asked for.

    Requests come in by `batcher`; everything that touches the weights holds the lock.
    """

    def __init__(self, base: str, revision: str | None, device: str) -> None:
        self.base = base
        model, self.tokenizer = _read(base, revision, device)
        self._model: PreTrainedModel = model
        self._peft: PeftModel | None = None
        self._names: dict[Path, str] = {}
        self._hashes: dict[Path | None, str] = {None: "base"}
        self._lock = threading.RLock()
        self._candidates: dict[str, tuple[int, ...]] = {}
        self._opening = generation_prompt(self.tokenizer) if self.tokenizer.chat_template else ""
        self.ends = self._end_tokens()
        self.batcher = Batcher(self.answer)

    @property
    def context(self) -> int | None:
        """How many tokens the model can read and write together, where it says so."""
        size = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        return int(size) if size else None

    def add(self, adapter: Path) -> None:
        """Load an adapter unless it is there already.

        Raises:
            UsageError: It was made for another base, is no LoRA adapter, or can't be read.
        """
        from peft import PeftModel

        # PEFT asks transformers by an older name; no user could mend that.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        with self._lock:
            if adapter in self._names:
                return
            self._check(adapter)
            name = f"adapter{len(self._names)}"
            try:
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(
                        self._model, str(adapter), adapter_name=name
                    )
                else:
                    self._peft.load_adapter(str(adapter), adapter_name=name)
            except (RuntimeError, ValueError) as error:
                why = " ".join(str(error).split())
                raise UsageError(
                    f"can't put the adapter {adapter} on the base {self.base}: {why}"
                ) from error
            self._peft.eval()
            self._names[adapter] = name
            weights = (adapter / "adapter_model.safetensors").read_bytes()
            self._hashes[adapter] = hashlib.sha256(weights).hexdigest()

    def candidate(self, text: str) -> tuple[int, ...]:
        """The tokens of a reply, as the template's opening of the assistant's turn makes them."""
        known = self._candidates.get(text)
        if known is None:
            known = reply_tokens(self.tokenizer, self._opening, text)
            self._candidates[text] = known
        return known

    def encode(self, text: str) -> tuple[int, ...]:
        """The tokens of a text that a chat template has written."""
        return encode(self.tokenizer, text)

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """The replies to these requests in order; those of one adapter are computed together."""
        import torch

        replies: dict[int, Reply] = {}
        groups: dict[tuple[Path | None, tuple[str, ...]], list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault((request.adapter, request.candidates), []).append(i)
        with self._lock, torch.inference_mode():
            for (adapter, candidates), members in groups.items():
                prompts = [requests[i].prompt for i in members]
                with self._using(adapter) as model:
                    if candidates:
                        tokens = [self.candidate(text) for text in candidates]
                        for i, row in zip(
                            members, score(model, prompts, tokens, self.ends), strict=True
                        ):
                            replies[i] = Reply(scores=dict(zip(candidates, row, strict=True)))
                    else:
                        samplings = [requests[i].sampling for i in members]
                        identity = self._hashes[adapter]
                        every = sample(
                            model, self.tokenizer, prompts, samplings, self.ends, identity
                        )
                        for i, drawn in zip(members, every, strict=True):
                            replies[i] = Reply(drawn=drawn)
        return [replies[i] for i in range(len(requests))]

    @contextmanager
    def _using(self, adapter: Path | None) -> "Iterator[PreTrainedModel]":
        if self._peft is None:
            yield self._model
        elif adapter is None:
            with self._peft.disable_adapter():
                yield self._model
        else:
            if self._peft.active_adapter != self._names[adapter]:
                self._peft.set_adapter(self._names[adapter], inference_mode=True)
            yield self._model

    def _check(self, adapter: Path) -> None:
        """Compare the shapes of a LoRA adapter with those of the base's layers."""
        from safetensors import SafetensorError, safe_open

        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
        if config.get("peft_type") != "LORA":
            raise UsageError(
                f"{adapter} is an adapter of type {config.get('peft_type')!r}: "
                "only LORA can be served"
            )
        file = adapter / "adapter_model.safetensors"
        if not file.is_file():
            raise UsageError(
                f"{adapter} holds no adapter_model.safetensors: save it again with PEFT"
            )
        layers = {
            name.replace(".base_layer", ""): tuple(weight.shape)
            for name, weight in self._model.named_parameters()
        }
        try:
            with safe_open(file, framework="pt") as tensors:
                # safe_open() is no mapping: it has keys(), and cannot be iterated over.
                shapes = {key: tensors.get_slice(key).get_shape() for key in tensors.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise UsageError(f"{file} is not a safetensors file: {error}") from error
        for key, shape in shapes.items():
            layer, lora, side = key.removeprefix("base_model.model.").rpartition(".lora_")
            if not lora or side not in ("A.weight", "B.weight"):
                continue
            weight = layers.get(f"{layer}.weight")
            if weight and config.get("fan_in_fan_out"):
                weight = weight[::-1]
            reads = side == "A.weight"  # lora_A is (rank, in), lora_B (out, rank)
            if weight is None or shape[reads] != weight[reads]:
                found = "no such layer" if weight is None else f"{weight} there"
                raise UsageError(
                    f"the adapter {adapter} was made for another base than {self.base}: "
                    f"{layer} has LoRA {side[0]} {tuple(shape)}, {found}"
                )

    def _end_tokens(self) -> tuple[int, ...]:
        """Every token at which a turn ends: the model's, the tokenizer's and the template's."""
        ends: list[int] = []
        generation = getattr(self._model, "generation_config", None)
        for source in (generation, self._model.config):
            given = getattr(source, "eos_token_id", None)
            ends += given if isinstance(given, list) else [] if given is None else [given]
        ends += end_tokens(self.tokenizer)
        if not ends:
            raise UsageError(f"the model {self.base} names no end-of-turn token (eos_token_id)")
        return tuple(dict.fromkeys(ends))


def _read(
    base: str, revision: str | None, device: str
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    revision = revision or "main"
    dtype = torch.float32 if device == "cpu" else "auto"
    bars = logging.is_progress_bar_enabled()
    # The bar would run through Inspect's display.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision)
        model = AutoModelForCausalLM.from_pretrained(
            base, revision=revision, dtype=dtype, device_map=device
        )
    except (OSError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        if Path(base).is_dir():
            raise UsageError(f"can't load the model in {base}: {why}") from error
        raise unknown(base, why) from error
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    return model, tokenizer
