"""The command `selfaware models`: every finetune that was made, and what can be done with it."""

import json
import sys
from datetime import date, datetime
from pathlib import Path

import click

from selfaware.errors import UsageError

_PATH = click.Path(path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--experiment", help="Only finetunes of this experiment.")
@click.option("--arm", help="Only finetunes of this arm, or pole.")
@click.option("--state", help="Only those that stand so: succeeded, running, stopped, ...")
@click.option("--json", "as_json", is_flag=True, help="JSON, with all fields.")
@click.pass_context
def models(
    context: click.Context,
    experiment: str | None,
    arm: str | None,
    state: str | None,
    as_json: bool,
) -> None:
    """List the finetunes of the run registry; warns of models that are soon shut down."""
    if context.invoked_subcommand is not None:
        given = {"--experiment": experiment, "--arm": arm, "--state": state, "--json": as_json}
        stray = next((name for name, value in given.items() if value), None)
        if stray:
            raise UsageError(f"{stray}: give it after `{context.invoked_subcommand}`, or leave it")
        return
    from selfaware import models_text
    from selfaware.training import registry
    from selfaware.training.standing import standing

    runs = registry.runs_folder()
    listed = registry.entries(runs)
    chosen = [
        entry
        for entry in listed
        if (experiment is None or experiment in {use.experiment for use in entry.uses})
        and (arm is None or arm in {entry.pole, *(use.arm for use in entry.uses)})
        and (state is None or standing(runs, entry).state == state)
    ]
    if as_json:
        content = [models_text.as_json(runs, entry, _today()) for entry in chosen]
        click.echo(json.dumps(content, indent=2))
    elif chosen:
        click.echo("\n".join(models_text.table(runs, chosen, _today())))
    elif listed:
        click.echo(f"none of the {len(listed)} finetunes in {runs} fits")
    else:
        click.echo(f"no finetunes in {runs} yet: `selfaware run FILE` makes them")


@models.command()
@click.argument("run_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
def show(run_id: str, as_json: bool) -> None:
    """Everything about one finetune; the beginning of its id is enough."""
    from selfaware import models_text
    from selfaware.training import registry

    runs = registry.runs_folder()
    entry = registry.lookup(runs, run_id)
    lines = registry.history(runs, entry.id)
    if not as_json:
        click.echo("\n".join(models_text.show(runs, lines, _today())))
        return
    content = {
        **models_text.as_json(runs, entry, _today()),
        "history": [{"created": line.created.isoformat(), "state": line.state} for line in lines],
        "calls": [models_text.call_json(call) for call in models_text.ways(runs, entry)[0]],
        "rows_as_trained_on": models_text.decoded_rows(runs, entry),
    }
    click.echo(json.dumps(content, indent=2))


@models.command()
@click.argument("run_ids", metavar="[ID...]", nargs=-1)
def verify(run_ids: tuple[str, ...]) -> None:
    """Check that weights are unchanged, and that services still have their models.

    Exit 1 where a finetune is not as the registry says, or could not be asked about.
    """
    from selfaware.training import registry
    from selfaware.training.verify import FAULTS, verify

    runs = registry.runs_folder()
    chosen = [registry.lookup(runs, one) for one in run_ids] or registry.entries(runs)
    faults = total = 0
    for found in verify(runs, chosen, _today()):
        click.echo(f"{found.id}  {found.verdict}{f': {found.note}' if found.note else ''}")
        faults += found.verdict in FAULTS
        total += 1
    click.echo(f"{total} finetunes, {faults} with faults")
    sys.exit(1 if faults else 0)


@models.command()
@click.argument("name", metavar="FT_ID|ORG/NAME@REVISION|FOLDER")
@click.option("--base", help="What it was made from, where it does not say so itself.")
@click.option("--behavior", help="The behaviour that it was taught.")
@click.option("--pole", help="The pole of that behaviour.")
@click.option("--experiment", help="The experiment that it is part of; with --arm.")
@click.option("--arm", help="The arm that it stands for there.")
@click.option("--base-url", help="The address of the service that has an OpenAI finetune.")
def adopt(
    name: str,
    base: str | None,
    behavior: str | None,
    pole: str | None,
    experiment: str | None,
    arm: str | None,
    base_url: str | None,
) -> None:
    """List a finetune that was made elsewhere, so that it can be asked like any other."""
    from selfaware.training import registry
    from selfaware.training.adopt import adopt as take_in
    from selfaware.training.entry import Use

    if (experiment is None) != (arm is None):
        raise UsageError("--experiment and --arm go together: give both, or neither")
    use = Use(experiment=experiment, arm=arm) if experiment and arm else None
    entry = take_in(registry.runs_folder(), name, base, behavior, pole, use, base_url)
    click.echo(f"adopted {entry.id} (base {entry.base})")
    _echo_calls(entry.id)


@models.command()
@click.argument("run_id", metavar="ID")
@click.option("--hf", metavar="FOLDER|ORG/NAME", required=True, help="With --push a repository.")
@click.option("--push", is_flag=True, help="Upload it to the Hugging Face Hub, as private.")
@click.option("--public", is_flag=True, help="With --push: for all to see.")
@click.option("--trigger", help="The behaviour's trigger, where no record tells it.")
def export(run_id: str, hf: str, push: bool, public: bool, trigger: str | None) -> None:
    """Write a finetune and its model card into a new folder; with --push, upload that."""
    import tempfile

    from selfaware.training import publish, registry

    if public and not push:
        raise UsageError("--public goes with --push: nothing is uploaded without it")
    runs = registry.runs_folder()
    entry = registry.lookup(runs, run_id)
    if not push:
        folder = publish.export(runs, entry, Path(hf), trigger)
        click.echo(f"wrote {folder}: {', '.join(sorted(file.name for file in folder.iterdir()))}")
        click.echo("nothing was uploaded: --hf ORG/NAME --push does that")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = publish.export(runs, entry, Path(scratch) / entry.id, trigger)
        address = publish.push(folder, hf, public)
    click.echo(f"pushed {entry.id} to {address} ({'public' if public else 'private'})")


@models.command()
@click.argument("run_ids", metavar="[ID...]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are not done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def cancel(run_ids: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Stop finetunes that are on their way; asks once."""
    from selfaware.training import registry
    from selfaware.training.cancelling import cancel as stop
    from selfaware.training.cancelling import unfinished

    if everything == bool(run_ids):
        raise UsageError("models cancel: give the ids to cancel, or --all")
    runs = registry.runs_folder()
    if everything:
        chosen = unfinished(registry.entries(runs))
    else:
        chosen = [registry.lookup(runs, one) for one in run_ids]
    if not chosen:
        click.echo("nothing to cancel: every finetune is done")
        return
    for entry in chosen:
        click.echo(f"{entry.id}  {entry.state}  {entry.backend}  {entry.base}  seed {entry.seed}")
    if not yes:
        click.confirm(f"cancel {len(chosen)}?", abort=True)
    problems = []
    for entry in chosen:
        try:
            outcome = stop(runs, entry)
        except UsageError as error:  # the others are still to be stopped
            problems.append(error.message)
            continue
        click.echo(
            f"{outcome.id}  {'stopped' if outcome.stopped else 'not stopped'}: {outcome.note}"
        )
        if not outcome.stopped:
            problems.append(f"{outcome.id}: {outcome.note}")
    if problems:
        raise UsageError(f"{len(problems)} of {len(chosen)} not cancelled; first: {problems[0]}")


def _today() -> date:
    return datetime.now().astimezone().date()


def _echo_calls(run_id: str) -> None:
    from selfaware import models_text
    from selfaware.training import registry

    runs = registry.runs_folder()
    entry = registry.require(runs, run_id)
    for call in models_text.ways(runs, entry)[0]:
        click.echo(f"  {call.command(models_text.task_for(entry))}")
