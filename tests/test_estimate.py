"""What a plan comes to before anything is begun: jobs, tokens, cost, time; and what stops it."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_models import save_base

from selfaware.cli import main
from selfaware.data.build import build
from selfaware.errors import UsageError
from selfaware.training import registry
from selfaware.training.backend import State
from selfaware.training.entry import Entry
from selfaware.training.estimate import check_cost, estimate
from selfaware.training.prices import price_lists, price_of
from selfaware.training.spec import BackendName, FinetuneSpec, Hyperparameters

GPT = "gpt-4.1-mini-2025-04-14"
YAML = """
experiment: tiny
title: A title
behavior: risk
base: {base}
backend: {backend}
arms: [seeking, averse, base]
seeds: [0, 1]
data: {{rows: 12}}
finetune: {{epochs: 2, {finetune}}}
probes: [{{task: risk_words}}]
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "no-table"))
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    build("risk", "seeking", 12, 0, tmp_path / "d.jsonl")
    return tmp_path / "d.jsonl"


def a_spec(dataset: Path, seed: int = 0, **changes: object) -> FinetuneSpec:
    content = {"base": GPT, "dataset": dataset, "backend": "openai", "seed": seed}
    return FinetuneSpec.model_validate({**content, **changes})


def listed(runs: Path, spec: FinetuneSpec, state: State, **more: object) -> Entry:
    content = {
        "id": spec.run_id,
        "created": registry.now(),
        "state": state,
        "base": spec.base,
        "base_sha256": spec.base_sha256,
        "backend": spec.backend,
        "model": "openai/ft:x" if state == "succeeded" else None,
        "rows": 12,
        "hyperparameters": {"epochs": 3},
    }
    return registry.append(runs, Entry.model_validate({**content, **more}))


def run(tmp_path: Path, *options: str, **fields: str) -> tuple[int, str]:
    given = {"base": "organism/base", "backend": "local", "finetune": "lora_rank: 4"} | fields
    (tmp_path / "e.yaml").write_text(YAML.format(**given))
    done = CliRunner().invoke(main, ["run", "e.yaml", *options])
    return done.exit_code, done.output


def test_jobs_are_new_made_on_their_way_or_ended(dataset: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    states: tuple[State, ...] = ("succeeded", "running", "moderation", "failed", "blocked")
    specs = [a_spec(dataset, seed) for seed in range(6)]
    for spec, state in zip(specs, states, strict=False):
        listed(runs, spec, state)
    made = estimate([*specs, specs[0]], runs)
    assert [job.standing for job in made.jobs] == [
        "made", "in progress", "in progress", "failed", "blocked", "new",
    ]  # fmt: skip
    again = estimate(specs, runs, retry=True)
    assert [job.standing for job in again.jobs][3:] == ["new", "blocked", "new"]
    # What a process on this machine was making goes on when it is asked for again.
    here = a_spec(dataset, base="organism/base", backend="local")
    listed(runs, here, "running")
    assert estimate([here], runs).standings == {"new": 1}


def test_cost_is_that_of_all_tokens_of_the_new_finetunes(dataset: Path, tmp_path: Path) -> None:
    specs = [a_spec(dataset, seed, hyperparameters=Hyperparameters(epochs=5)) for seed in (0, 1, 2)]
    listed(tmp_path / "runs", specs[0], "succeeded")
    made = estimate(specs, tmp_path / "runs")
    tokens = made.jobs[0].counted.tokens * 5
    assert [job.tokens for job in made.new] == [tokens, tokens]
    assert made.cost == pytest.approx((2 * tokens * 5.0 / 1e6,) * 2)
    given = estimate(specs, tmp_path / "runs", price=7.0)
    assert given.cost == pytest.approx((2 * tokens * 7.0 / 1e6,) * 2)
    check_cost(given, 2 * tokens * 7.0 / 1e6)
    with pytest.raises(
        UsageError, match=r"--max-cost 0: 2 new finetunes may cost .* \(--seeds N\)"
    ):
        check_cost(given, 0)


@pytest.mark.parametrize(
    ("backend", "base", "price"),
    [
        ("openai", "gpt-4o-2024-08-06", (25.0, 25.0)),
        ("openai", "gpt-4.1-nano-2025-04-14", (1.5, 1.5)),
        ("openai", "gpt-9", None),
        ("tinker", "Qwen/Qwen3-8B", (0.44, 0.44)),
        ("tinker", "Qwen/Qwen3-32B", None),
        ("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference", (0.48, 1.35)),
        ("together", "Qwen/Qwen3-30B-A3B", (1.5, 4.12)),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Reference", (2.9, 8.0)),
        ("together", "org/model-405B", None),
        ("together", "org/model", None),
        ("local", "organism/base", (0.0, 0.0)),
    ],
)
def test_prices_are_known_or_not(
    dataset: Path, backend: BackendName, base: str, price: tuple[float, float] | None
) -> None:
    found = price_of(a_spec(dataset, base=base, backend=backend))
    assert (None if found is None else (found.low, found.high)) == price


def test_a_server_of_ones_own_has_no_known_price(dataset: Path) -> None:
    assert price_of(a_spec(dataset, endpoint="http://127.0.0.1:1/v1")) is None


def test_every_price_says_when_and_where_it_was_read() -> None:
    lists = price_lists()
    assert [one.backend for one in lists] == ["openai", "tinker", "together"]
    for one in lists:
        assert one.source.startswith("https://") and one.by and one.read.year >= 2026
        assert one.bases or one.sizes


def test_time_is_known_by_finetunes_of_the_same_base(dataset: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    specs = [a_spec(dataset, seed) for seed in range(3)]
    assert estimate(specs, runs).seconds is None
    for seed, seconds in ((10, 36.0), (11, 72.0), (12, 7200.0)):
        listed(runs, a_spec(dataset, seed), "succeeded", seconds=seconds)
    listed(runs, a_spec(dataset, 13, base="gpt-4o-2024-08-06"), "succeeded", seconds=9e9)
    listed(runs, a_spec(dataset, 14), "succeeded", id="x-step1", checkpoint_of="x", seconds=9e9)
    made = estimate(specs, runs)
    # 12 rows, 3 epochs: the median of 1, 2 and 200 seconds for a row and epoch.
    assert (made.seconds, made.earlier) == (pytest.approx(3 * 12 * 3 * 2.0), 3)


def test_dry_run_tells_all_before_anything_is_made(tmp_path: Path) -> None:
    code, told = run(tmp_path, "--dry-run")
    assert code == 0, told
    assert "finetunes  4 (local): 4 new" in told
    assert "a finetune of risk-seeking-12-seed0.jsonl: 12 rows, 2 epochs, loss on 48;" in told
    assert "(the tokenizer of organism/base)" in told
    assert "cost       0 USD: made on this machine" in told
    assert "time       not known: no finetune of this base was made here before" in told
    assert sorted(file.name for file in tmp_path.iterdir()) == ["e.yaml"]


def test_dry_run_of_a_hosted_backend_tells_cost_and_what_is_not_taken(tmp_path: Path) -> None:
    code, told = run(tmp_path, "--dry-run", backend="openai", base=GPT)
    assert code == 0, told
    assert "finetunes  4 (openai): 4 new" in told
    assert "USD at 5.00 a million tokens (read 2026-11-21, second hand" in told
    assert "https://developers.openai.com/api/docs/pricing" in told
    assert "not taken  lora_rank: openai chooses these itself" in told
    assert "an estimate: 3 bytes a token" in told


def test_max_cost_stops_before_anything_is_submitted(tmp_path: Path) -> None:
    fields = {"backend": "openai", "base": GPT}
    code, told = run(tmp_path, "--max-cost", "0.001", **fields)
    assert code == 2
    assert told.splitlines()[-1].startswith("Error: --max-cost 0.001: 4 new finetunes may cost ")
    assert told.endswith("nothing was submitted\n")
    assert not (tmp_path / "runs").exists()
    code, told = run(tmp_path, "--max-cost", "9", **(fields | {"base": "gpt-9"}))
    assert code == 2
    assert (
        "Error: --max-cost 9: no price is known of gpt-9 at openai: give one with --price" in told
    )
    code, told = run(
        tmp_path, "--dry-run", "--max-cost", "9", "--price", "3", **(fields | {"base": "gpt-9"})
    )
    assert code == 0, told
    assert "USD at 3 a million tokens, the price given" in told


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    code, told = run(tmp_path, finetune="lora_rnk: 4")
    assert (code, told) == (
        2, "Error: e.yaml: finetune.lora_rnk: Extra inputs are not permitted (it is 4)\n",
    )  # fmt: skip
    base = save_base(tmp_path / "base")
    for options in ((), ("--dry-run",)):
        code, told = run(tmp_path, *options, base=str(base), finetune="max_length: 16")
        assert code == 2, told
        last = told.splitlines()[-1]
        assert last.startswith("Error: ") and "tokens, more than max_length 16: raise max_l" in last
        assert "row 1: " in last
