"""Writes the tables of providers, and of cache parameters that they take, from litellm's lists.

`--check` writes nothing, and fails when the table is not what litellm says.
"""

import os
import sys
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # noqa: TID251 # no network

import litellm
from litellm import get_supported_openai_params

from turnpike.agent_runtime.models.litellm_library import REFUSED

_FOLDER = Path(__file__).parent / "src/turnpike/agent_runtime/models"
CACHING, PROVIDERS = _FOLDER / "caching_table.py", _FOLDER / "providers_table.py"
_NAMES = ("prompt_cache_key", "prompt_cache_retention")
_HEAD = '''"""Who takes which cache parameters. Made by generate_caching.py: do not edit."""

TAKEN: dict[str, tuple[str, ...]] = {
'''
_PROVIDERS_HEAD = '''"""Providers that litellm knows. Made by generate_caching.py: do not edit."""

PROVIDERS = frozenset(
    {
'''


def providers() -> list[str]:
    """Returns the names of every provider that litellm knows."""
    return sorted(str(getattr(each, "value", each)) for each in litellm.provider_list)


def caching_table() -> str:
    """Returns the module of who takes which cache parameters, as litellm has it."""
    litellm.suppress_debug_info = True
    lines: list[str] = []
    for provider in providers():
        listed = get_supported_openai_params(model="model", custom_llm_provider=provider) or ()
        taken = [f'"{name}"' for name in _NAMES if name in listed]
        if taken:
            comma = "," if len(taken) == 1 else ""
            lines.append(f'    "{provider}": ({", ".join(taken)}{comma}),\n')
    return f"{_HEAD}{''.join(lines)}}}\n"


def providers_table() -> str:
    """Returns the module of the providers that tenants' models may name."""
    lines = [f'        "{name}",\n' for name in providers() if name not in REFUSED]
    return f"{_PROVIDERS_HEAD}{''.join(lines)}    }}\n)\n"


def main() -> None:
    """Writes the tables, or checks them."""
    for path, made in ((CACHING, caching_table()), (PROVIDERS, providers_table())):
        if "--check" not in sys.argv:
            path.write_text(made)
        elif path.read_text() != made:
            sys.exit(f"{path.name} is not what litellm says: run generate_caching.py")


if __name__ == "__main__":
    main()
