"""Finetunes in processes that tests kill: one for each line of standard input.

The modules are imported once; every line is carried out by a process forked from this one. It tells
its id, waits for a line that lets it go, and how it ended is told: its exit status, or minus the
signal that killed it.
"""

import json
import os
import sys
from pathlib import Path

import openai.types.fine_tuning  # noqa: F401  # imported by the SDK when it is needed

from selfaware.training.drive import finetune
from selfaware.training.openai_backend import OpenAIBackend
from selfaware.training.spec import FinetuneSpec


def carry_out(line: str) -> None:
    order = json.loads(line)
    specs = [FinetuneSpec.model_validate(each) for each in order["specs"]]
    runs = Path(order["runs"])
    finetune(specs, runs, OpenAIBackend(runs, specs[0].endpoint, patience=0.001))


def main() -> None:
    for line in sys.stdin:
        wait, go = os.pipe()
        child = os.fork()
        if child == 0:
            os.read(wait, 1)
            try:
                carry_out(line)
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
                os._exit(1)
            os._exit(0)
        print(child, flush=True)
        sys.stdin.readline()
        os.write(go, b"x")
        os.close(go)
        os.close(wait)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
