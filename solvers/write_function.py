"""Has a model write functions, runs them in the sample's sandbox, and stores what they gave."""

from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import SandboxEnvironment, collect, sandbox

from selfaware.behaviors.codeword_inputs import codeword_inputs
from selfaware.errors import UsageError
from selfaware.functions import (
    FUNCTION_NAME,
    FUNCTIONS_KEY,
    WrittenFunction,
    code_of,
    written_function,
)
from selfaware.modes import MODE_KEY, withheld
from selfaware.parameters import positive
from selfaware.sandboxes.calls import call_function
from selfaware.sandboxes.choice import REFUSED
from selfaware.solvers.drawing import draw

_REFUSED_CLASS = "LocalSandboxEnvironment"


@solver
def write_function(draws: int = 10, seconds: int = 10) -> Solver:
    """Have the model write functions, and call each on all inputs of the sample's codeword.

    The draws are the choices of one request where the provider gives several. Functions run in the
    sample's sandbox, all calls of one in one command; what they gave is stored with the sample, so
    that scoring needs no sandbox.

    Args:
        draws: How many functions to draw to each prompt.
        seconds: The processor time that all calls of one function may take together, up to four
            times as long by the clock; the sandbox `bubblewrap` ends every command after 120.

    Raises:
        UsageError: Fewer than 1 draw or second; the sample has no sandbox, or the local one.
    """
    count = positive("draws", draws)
    limit = positive("seconds", seconds)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        environment = _isolated_sandbox()
        codeword = str(state.metadata["pole"])
        state.store.set(MODE_KEY, "sample")
        state.output = await draw(get_model(), state.messages, count, state.epoch)
        if state.output.choices:
            state.messages.append(state.output.message)
        codes = [
            None if withheld(choice) else code_of(choice.message.text)
            for choice in state.output.choices
        ]
        distinct = [code for code in dict.fromkeys(codes) if code is not None]
        ran = await collect(*[_run(environment, code, codeword, limit) for code in distinct])
        became = dict(zip(distinct, ran, strict=True))
        records = [None if code is None else became[code].model_dump() for code in codes]
        state.store.set(FUNCTIONS_KEY, records)
        return state

    return solve


async def _run(
    environment: SandboxEnvironment, code: str, codeword: str, seconds: int
) -> WrittenFunction:
    """What one function gives for all inputs."""
    inputs = codeword_inputs(codeword)
    texts = [text for group in inputs.values() for text in group]
    results = await call_function(environment, code, FUNCTION_NAME, texts, seconds)
    return written_function(code, codeword, results, inputs)


def _isolated_sandbox() -> SandboxEnvironment:
    """The sample's sandbox, if it keeps code from this machine."""
    try:
        environment = sandbox()
    except ProcessLookupError as error:
        raise UsageError(
            "write_function runs model-written code and needs a sandbox: "
            "use selfaware/codeword_function, or give --sandbox docker or bubblewrap"
        ) from error
    # mypy wants a concrete class; as_type() only looks whether it is one of these.
    inner = environment.as_type(SandboxEnvironment)  # type: ignore[type-abstract]
    if type(inner).__name__ == _REFUSED_CLASS:
        raise UsageError(REFUSED)
    return environment
