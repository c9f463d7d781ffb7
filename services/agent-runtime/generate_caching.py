"""Writes the table of providers that take cache parameters, from litellm's support lists.

`--check` writes nothing, and fails when the table is not what litellm says.
"""

import os
import sys
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # noqa: TID251 # no network

import litellm
from litellm import get_supported_openai_params

TABLE = Path(__file__).parent / "src/turnpike/agent_runtime/models/caching_table.py"
_NAMES = ("prompt_cache_key", "prompt_cache_retention")
_HEAD = '''"""Who takes which cache parameters. Made by generate_caching.py: do not edit."""

TAKEN: dict[str, tuple[str, ...]] = {
'''


def table() -> str:
    """Returns the table's module, as litellm has it."""
    litellm.suppress_debug_info = True
    lines: list[str] = []
    for provider in sorted(str(getattr(each, "value", each)) for each in litellm.provider_list):
        listed = get_supported_openai_params(model="model", custom_llm_provider=provider) or ()
        taken = [f'"{name}"' for name in _NAMES if name in listed]
        if taken:
            comma = "," if len(taken) == 1 else ""
            lines.append(f'    "{provider}": ({", ".join(taken)}{comma}),\n')
    return f"{_HEAD}{''.join(lines)}}}\n"


def main() -> None:
    """Writes the table, or checks it."""
    made = table()
    if "--check" in sys.argv:
        if TABLE.read_text() != made:
            sys.exit(f"{TABLE.name} is not what litellm says: run generate_caching.py")
    else:
        TABLE.write_text(made)


if __name__ == "__main__":
    main()
