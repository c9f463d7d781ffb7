"""CPU per chunk of a model's stream: our native client beside the OpenAI SDK and litellm.

`python -m tests.bench.model_stream` prints a line for each, measured one after the
other on the same scripted stream, one delta a write.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import openai
import uvloop

from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.models.prompt import Message, Model, Prompt

SERVER = Path(__file__).parents[1] / "doubles" / "model_server.py"

Reader = Callable[[], Awaitable[int]]


@asynccontextmanager
async def provider() -> AsyncGenerator[str]:
    """Runs the scripted provider as a process of its own; gives its base URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        yield line.split('"url": "')[1].split('"')[0]
    finally:
        process.terminate()
        await process.wait()


def through(clients: Clients, provider_name: str, model: str, url: str) -> Reader:
    """Reads the stream through one of our clients; counts its lists of pieces."""
    prompt = Prompt(
        model=Model(
            tenant=uuid4(),
            name="bench",
            provider=provider_name,
            model=model,
            base_url=url,
            api_key="k",
            prices=None,
        ),
        messages=(Message(role="user", text="hi"),),
        tools=(),
        traceparent="",
    )

    async def read() -> int:
        count = 0
        async with aclosing(clients.client(provider_name).stream(prompt)) as stream:
            async for pieces in stream:
                count += len(pieces)
        return count

    return read


def through_sdk(model: str, url: str) -> Reader:
    """Reads the stream through the OpenAI SDK; counts its chunks."""
    client = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)

    async def read() -> int:
        count = 0
        async for _ in await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hi"}], stream=True
        ):
            count += 1
        return count

    return read


async def measure(name: str, read: Reader, rounds: int) -> None:
    """Prints the CPU per chunk of the best of some rounds, after one to warm up."""
    await read()
    best = float("inf")
    for _ in range(rounds):
        before = time.process_time()
        chunks = await read()
        best = min(best, (time.process_time() - before) / chunks)
    print(f"{name:12} {best * 1e6:8.1f} us of CPU a chunk", flush=True)


async def main() -> None:
    """Measures all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--pause-us", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--native-only", action="store_true")
    options = parser.parse_args()
    model = f"n={options.chunks}+us={options.pause_us}"
    async with provider() as url, open_clients(allow_private=True) as clients:
        await measure("native", through(clients, "openai", model, url), options.rounds)
        if not options.native_only:
            await measure("openai SDK", through_sdk(model, url), options.rounds)
            litellm = through(clients, "hosted_vllm", model, url)
            await measure("litellm", litellm, options.rounds)


if __name__ == "__main__":
    uvloop.run(main())
