import pytest

from tests.gatekeeper.accounts.callers import Accounts
from tests.gatekeeper.serving import Gatekeeper


@pytest.fixture
def accounts(gatekeeper: Gatekeeper) -> Accounts:
    """What the session's gatekeeper says of accounts and usage."""
    return Accounts(gatekeeper)
