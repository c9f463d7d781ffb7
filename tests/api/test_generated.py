"""libs/api/src is what protos/ generates."""

import subprocess
import sys
from pathlib import Path

GENERATE = Path(__file__).parents[2] / "libs" / "api" / "generate.py"


def test_generated_code_is_fresh():
    checked = subprocess.run(
        [sys.executable, str(GENERATE), "--check"], capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
