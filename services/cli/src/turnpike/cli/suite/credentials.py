"""The keys and passwords of a local suite, made once."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass, fields, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from turnpike.cli.errors import CommandError
from turnpike.cli.suite.home import Home, read_object
from turnpike.cli.suite.services import SERVICES


@dataclass(frozen=True)
class Credentials:
    """What lets the suite's parts trust each other, and its first user in."""

    admin_key: str
    signing_keys: dict[str, str]
    """Service to its base64 Ed25519 seed."""
    secret_keys: dict[str, str]
    """Key id to 32 base64 bytes; the first one seals."""
    database_passwords: dict[str, str]
    """Database role to its password."""

    def trusted_keys(self) -> dict[str, str]:
        """Returns each service's public key, base64."""
        return {name: _public(seed) for name, seed in self.signing_keys.items()}


def load_credentials(home: Home) -> Credentials:
    """Returns the home's credentials, made now when there are none."""
    if not home.credentials.exists():
        home.write_private(home.credentials, json.dumps(asdict(_new()), indent=2))
    content = read_object(home.credentials)
    try:
        kept = Credentials(**{field.name: content[field.name] for field in fields(Credentials)})  # pyright: ignore[reportArgumentType] # our own file
    except KeyError as error:
        raise CommandError(f"{str(home.credentials)!r} has no {error.args[0]!r}") from error
    return _with_new_roles(home, kept)


def _with_new_roles(home: Home, kept: Credentials) -> Credentials:
    """A home that an older version made knows no role that came since."""
    passwords = {**_database_passwords(), **kept.database_passwords}
    if passwords == kept.database_passwords:
        return kept
    grown = replace(kept, database_passwords=passwords)
    home.write_private(home.credentials, json.dumps(asdict(grown), indent=2))
    return grown


def _database_passwords() -> dict[str, str]:
    roles = [role for service in SERVICES for role in service.roles]
    return {role: secrets.token_urlsafe(24) for role in roles}


def _new() -> Credentials:
    return Credentials(
        admin_key=f"tpk_{secrets.token_urlsafe(24)}",
        signing_keys={service.name: _random_key() for service in SERVICES},
        secret_keys={"k1": _random_key()},
        database_passwords=_database_passwords(),
    )


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _public(seed: str) -> str:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
