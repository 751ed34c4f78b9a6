"""A process that carries out orders, unless it is told to die over one or to refuse it."""

import json
import os
import signal
import time
from pathlib import Path

from selfaware.training.channel import listen, teller
from selfaware.training.jobs import Done, Refused


def main() -> None:
    tell = teller()
    orders = listen(json.loads)
    while True:
        order = orders.get()
        folder, name = Path(order["logs"]), order["id"]
        with (folder / f"{name}.tries").open("a") as tries:
            tries.write(f"{os.getpid()}\n")
        deaths = folder / f"{name}.deaths"
        if deaths.exists() and (left := int(deaths.read_text())):
            deaths.write_text(str(left - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow"):
            time.sleep(600)
        refused = name.startswith("bad")
        tell(Refused(id=name, message=f"{name} is bad") if refused else Done(id=name))


if __name__ == "__main__":
    main()
