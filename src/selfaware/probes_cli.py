"""The command `selfaware probes`: what can be asked, and what it costs."""

import json
from collections.abc import Sequence

import click

from selfaware.probe_list import Probe, probes


@click.command("probes")
@click.option("--bank", "banks", help="Only these banks, separated by commas.")
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Replies drawn to each prompt in mode sample.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, with what each probe means.")
def list_probes(banks: str | None, draws: int, as_json: bool) -> None:
    """List every probe of the question banks, with its requests in each mode."""
    found = probes(banks, draws)
    if as_json:
        click.echo(json.dumps([probe.model_dump() for probe in found], indent=2))
    else:
        click.echo("\n".join(table(found)))


def table(found: Sequence[Probe]) -> list[str]:
    """The probes as lines of a table, with what its columns mean below it."""
    head = ("bank", "probe", "paper", "answer", "para", "twin", "others", "exact", "logprobs",
            "sample", "one each", "for each")  # fmt: skip
    rows = [head, *[_row(probe) for probe in found]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    draws = found[0].draws if found else 0
    return [
        *lines,
        "",
        "para: paraphrases. others: the same question about a person, another assistant, or",
        "nobody (neutral), each at the same cost again where it has as many wordings; a name will",
        "do as well. Requests are for one of those under one framing. exact: every answer scored.",
        "logprobs: where the model's tokenizer keeps every answer whole. sample: all draws of a",
        f"prompt in one request; one each: {draws} requests a prompt, from a provider that gives",
        "one choice a request. -: not in that mode.",
    ]


def _row(probe: Probe) -> tuple[str, ...]:
    costs = probe.requests
    counts = (costs.exact, costs.logprobs, costs.sample, costs.sample_one_each)
    each = [*probe.filled, *([f"order ({probe.orders})"] if probe.orders > 1 else [])]
    return (
        probe.bank,
        probe.id,
        probe.paper_id or "-",
        probe.kind,
        str(probe.paraphrases),
        probe.twin or "-",
        " ".join(probe.others),
        *("-" if count is None else str(count) for count in counts),
        ", ".join(each),
    )
