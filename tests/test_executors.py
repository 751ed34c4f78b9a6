"""Executors: what a step takes up; how evaluations are split, spread, begun again, stopped."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import Task, eval, eval_set
from inspect_ai.dataset import Sample
from inspect_ai.log import list_eval_logs
from inspect_ai.model import get_model
from tiny_models import save_adapter, save_base

from selfaware import __version__
from selfaware.cli import main
from selfaware.errors import UsageError
from selfaware.executors.answered import unanswered
from selfaware.executors.cluster import rooms
from selfaware.executors.evaluation import Evaluation, ask
from selfaware.executors.evaluator import carry_out
from selfaware.executors.host import Host, Site
from selfaware.executors.machine import LocalExecutor
from selfaware.executors.parts import gather, parts
from selfaware.executors.resources import Resources, Step
from selfaware.executors.retrying import RetryingWorker
from selfaware.executors.spread import spread
from selfaware.executors.steps import evaluate
from selfaware.experiment import Probe, load_experiment, plan
from selfaware.tasks import risk_choice
from selfaware.training.jobs import Done, Refused
from selfaware.training.launcher import CORES, Launch
from selfaware.training.workers import AnyWorker, Worker

EXPERIMENT = """
experiment: tiny
title: A title
behavior: risk
base: organism/base
arms: [seeking]
seeds: [0]
probes: [{task: risk_words}]
"""


def write(folder: Path, more: str = "") -> Path:
    file = folder / "tiny.yaml"
    file.write_text(EXPERIMENT + more)
    return file


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("finetune: {cpus: 0}", r"resources.finetune.cpus: .*greater than 0 \(it is 0\)"),
        (
            "evaluate: {gpus: 1.5}",
            r"resources.evaluate.gpus: give a whole number, or a part of one",
        ),
        ("evaluate: {retries: -1}", "resources.evaluate.retries: .*greater than or equal to 0"),
        ("train: {cpus: 1}", "resources.train: Extra inputs are not permitted"),
    ],
)
def test_resources_that_cannot_be_are_refused_in_one_line(tmp_path, given, message):
    with pytest.raises(UsageError, match=message) as caught:
        load_experiment(write(tmp_path, f"resources: {{{given}}}"))
    assert "\n" not in str(caught.value)


def test_resources_have_no_part_in_a_run_id(tmp_path):
    def run_id(more: str) -> str:
        planned = plan(load_experiment(write(tmp_path, more)), tmp_path)
        dataset = planned.datasets["seeking"]
        dataset.parent.mkdir(exist_ok=True)
        dataset.write_text("{}\n")
        assert planned.models[0].spec is not None
        return planned.models[0].spec.run_id

    assert run_id("") == run_id("resources: {finetune: {cpus: 4, gpus: 0.5, retries: 0}}")


def test_room_is_counted_node_by_node():
    big = {"CPU": 8.0, "GPU": 2.0, "memory": 64e9}
    small = {"CPU": 3.0, "memory": 8e9}
    assert rooms(Step(), [big, small]) == 11
    assert rooms(Step(cpus=2), [big, small]) == 4 + 1
    assert rooms(Step(gpus=0.5), [big, small]) == 4
    assert rooms(Step(cpus=1, memory_gb=5), [big, small]) == 8 + 1
    assert rooms(Step(gpus=3), [big, small]) == 0


names = st.sampled_from(["selfaware/a", "selfaware/b", "openai/ft:x:y", "vllm/q/q:/a", "vllm/q/q"])


@given(st.lists(names, unique=True))
def test_every_model_is_in_one_part_and_a_server_in_one(models: list[str]) -> None:
    made = parts(models)
    assert sorted(model for members in made.values() for model in members) == sorted(models)
    assert list(made) == list(parts([*models, "selfaware/new"]))[:-1]
    for members in made.values():
        assert len(members) == 1 or {model.partition(":")[0] for model in members} == {"vllm/q/q"}


def test_names_of_parts_are_folders_that_differ():
    made = list(parts(["selfaware/org/x", "selfaware/org_x", "openai/org/x", "selfaware/../x"]))
    assert len(set(made)) == 4
    assert all("/" not in name and not name.startswith(".") for name in made)


def test_logs_of_the_wanted_models_are_gathered_and_others_left(tmp_path):
    for name in ("a", "b"):
        task = Task([Sample("hello")], name="greet")
        model = get_model(f"mockllm/{name}")
        eval_set(task, log_dir=str(tmp_path), model=model, display="none", log_dir_allow_dirty=True)
    wanted = parts(["mockllm/a"])
    (home,) = wanted
    for _ in range(2):
        gather(tmp_path, wanted)
        assert len(list((tmp_path / home).glob("*.eval"))) == 1
        assert len(list(tmp_path.glob("*.eval"))) == 1
    assert len(list_eval_logs(str(tmp_path))) == 2


def test_a_model_is_asked_what_no_whole_log_has(tmp_path):
    name = "selfaware/organism/base"
    probes = [Probe(task="risk_choice", args={"count": 3}), Probe(task="risk_words")]
    limited = risk_choice(count=3)
    eval(limited, model=name, limit=1, log_dir=str(tmp_path), display="none")
    assert unanswered(probes[:1], {name: ()}, tmp_path) == {name: ()}
    ask(probes[:1], {name: ()}, tmp_path, "none")
    assert unanswered(probes[:1], {name: (), "selfaware/b": ()}, tmp_path) == {"selfaware/b": ()}
    assert unanswered(probes, {name: ()}, tmp_path) == {name: ()}
    other = [Probe(task="risk_choice", args={"count": 4})]
    assert unanswered(other, {name: ()}, tmp_path) == {name: ()}
    called = {name: ("-M", "device=cpu")}
    assert unanswered(probes[:1], called, tmp_path) == called


def mortal() -> AnyWorker:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return Worker(Launch(), True, "mortal_worker", {"PYTHONPATH": path})


def orders(folder: Path, *names: str) -> list[Evaluation]:
    return [
        Evaluation(id=name, probes=(), models={f"m/{name}": ()}, logs=folder, runs=folder)
        for name in names
    ]


def tries(folder: Path, name: str) -> list[int]:
    return [int(line) for line in (folder / f"{name}.tries").read_text().split()]


def test_a_step_is_begun_again_as_often_as_it_may_be(tmp_path):
    told: list[str] = []
    for name, deaths in (("hurt", 2), ("doomed", 9)):
        (tmp_path / f"{name}.deaths").write_text(str(deaths))
    worker = RetryingWorker(mortal, 2, told.append)
    assert not worker.alive()
    hurt, doomed = orders(tmp_path, "hurt", "doomed")
    assert list(worker.make(hurt)) == [Done(id="hurt")]
    assert worker.alive()
    assert len(set(tries(tmp_path, "hurt"))) == 3
    assert told == [
        "a worker was killed by signal 9: its step is begun again (1 of 2)",
        "a worker was killed by signal 9: its step is begun again (2 of 2)",
    ]
    assert list(worker.make(doomed)) == []
    assert len(tries(tmp_path, "doomed")) == 3
    assert not worker.alive()
    assert worker.failure("it").startswith("it (tried 3 times) was killed by signal 9;")
    worker.close()


def test_orders_are_spread_and_one_that_fails_keeps_no_other_from_its_end(tmp_path):
    names = [f"good{number}" for number in range(4)]
    (tmp_path / "doomed.deaths").write_text("9")
    ends: dict[str, str | None] = {}
    started: list[AnyWorker] = []

    def start() -> AnyWorker:
        started.append(RetryingWorker(mortal, 0, print))
        return started[-1]

    given = orders(tmp_path, "doomed", "bad", *names)
    spread(given, 2, start, lambda order, problem: ends.update({order.id: problem}))
    assert {name for name, problem in ends.items() if problem is None} == set(names)
    assert ends["bad"] == "bad is bad"
    problem = ends["doomed"]
    assert problem is not None and "\n" not in problem
    assert problem.startswith("the process that asked m/doomed was killed by signal 9")
    assert len(started) == 2
    pids = {pid for name in names for pid in tries(tmp_path, name)}
    assert pids and not any(map(psutil.pid_exists, pids))


def test_an_interrupt_stops_every_process(tmp_path):
    def interrupt(order: Evaluation, problem: str | None) -> None:
        begun = tmp_path / "slow.tries"
        while not begun.exists() or not begun.read_text():
            time.sleep(0.01)
        raise KeyboardInterrupt

    given = orders(tmp_path, "good", "slow", "never")
    with pytest.raises(KeyboardInterrupt):
        spread(given, 2, lambda: RetryingWorker(mortal, 5, print), interrupt)
    (pid,) = tries(tmp_path, "slow")
    assert not psutil.pid_exists(pid)


def refusals(host: Host, folder: Path) -> list[str]:
    return [
        event.message for event in host.make(*orders(folder, "x")) if isinstance(event, Refused)
    ]


def test_a_node_that_differs_refuses_in_one_line(tmp_path):
    here = Site(version=__version__, cwd=tmp_path, witness=tmp_path / ".seen")

    def refused(site: Site) -> str:
        (message,) = refusals(Host("mortal_worker", Step(), Launch(), True, site), tmp_path)
        assert "\n" not in message
        return message

    assert f"does not see the folder {tmp_path}: work in a folder" in refused(here)
    here.witness.touch()
    old = Site(version="0.0.1", cwd=tmp_path, witness=here.witness)
    assert f"has selfaware {__version__}, this machine 0.0.1: install the same" in refused(old)
    gone = Site(version=__version__, cwd=tmp_path / "gone", witness=here.witness)
    assert f"does not see the folder {tmp_path / 'gone'}" in refused(gone)


def run(folder: Path, *arguments: str) -> Sequence[str]:
    result = CliRunner().invoke(main, ["run", str(write(folder)), *arguments])
    assert result.exit_code == 2
    return [line for line in result.output.splitlines() if line.startswith("Error")]


def test_a_cluster_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (dead,) = run(tmp_path, "--executor", "ray", "--address", "127.0.0.1:1")
    assert "no Ray cluster answers at '127.0.0.1:1'" in dead and "ray start --head" in dead
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:2")
    assert "no Ray cluster answers at '127.0.0.1:2'" in run(tmp_path, "--executor", "ray")[0]
    for bad in ("nonsense", "ray://head:10001", "host:port"):
        (line,) = run(tmp_path, "--executor", "ray", "--address", bad)
        assert f"Ray address {bad!r}: give HOST:PORT" in line
    (local,) = run(tmp_path, "--address", "127.0.0.1:1")
    assert "--address 127.0.0.1:1 is for --executor ray" in local
    monkeypatch.setitem(sys.modules, "ray", None)
    (absent,) = run(tmp_path, "--executor", "ray", "--address", "127.0.0.1:1")
    assert "pip install 'selfaware[cluster]'" in absent
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_processes_at_once_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setenv(CORES, "8")
    for jobs, cores in ((3, "2"), (16, "1"), (None, "8")):
        worker = LocalExecutor(jobs).start("mortal_worker", Step(), Launch(), True, tmp_path)
        assert isinstance(worker, Worker)
        process = psutil.Process(worker.process.pid)
        while process.exe() != os.path.realpath(sys.executable) or CORES not in process.environ():
            time.sleep(0.01)  # it is still a copy of this process, with what that began with
        assert process.environ()[CORES] == cores
        worker.kill()
        worker.close()


def test_finetunes_of_one_base_load_it_once_in_a_process(tmp_path, monkeypatch):
    from selfaware.providers import weights

    base = save_base(tmp_path / "base")
    models = [f"selfaware/{save_adapter(tmp_path / name, base, seed=1)}" for name in ("a", "b")]
    for model in models:
        config = Path(model.partition("/")[2]) / "adapter_config.json"
        assert str(base) in config.read_text()
    loads: list[str] = []
    read = weights._read
    monkeypatch.setattr(weights, "_read", lambda *given: loads.append(given[0]) or read(*given))
    monkeypatch.setenv("SELFAWARE_RUNS", str(tmp_path))
    probes = (Probe(task="risk_scale", args={"about": "self"}),)
    told: list[object] = []
    for name, members in parts(models).items():
        order = Evaluation(
            id=name,
            probes=probes,
            models=dict.fromkeys(members, ()),
            logs=tmp_path / "logs",
            runs=tmp_path,
        )
        carry_out(order, told.append)
    assert [type(event) for event in told] == [Done, Done]
    assert loads == [str(base)]
    assert len(list_eval_logs(str(tmp_path / "logs"))) == 2


def test_models_that_fail_are_told_by_their_first_cause(tmp_path, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr(LocalExecutor, "start", lambda *_: mortal())
    monkeypatch.setattr("selfaware.executors.steps.parts", lambda models: {"bad": tuple(models)})
    console = Console(file=(tmp_path / "told").open("w"), width=200)
    with pytest.raises(UsageError, match="1 of 1 models: bad is bad"):
        evaluate(
            LocalExecutor(2),
            Resources(),
            [Probe(task="risk_choice")],
            {"m/x": ()},
            tmp_path / "logs",
            tmp_path,
            console,
        )
    console.file.close()
    assert "1/1 failed: m/x" in (tmp_path / "told").read_text()
