"""Seals anew what older keys sealed: `python -m turnpike.tool_registry.reseal`.

Run it with the service's own settings once every replica has the new key in front; what it
reports as left cannot be opened by any key that is there. After it the old key may go. What
an older version bound to its tenant alone is bound to its connector, too.
"""

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.envelope import Envelope
from turnpike.database.resealing import Resealed, Sealed, reseal_and_exit, reseal_columns
from turnpike.tool_registry import bindings
from turnpike.tool_registry.settings import Settings

_OF_CREDENTIALS = ("tenant", "connector", "principal")
COLUMNS = (
    Sealed(
        table="connectors",
        column="headers",
        key=("tenant", "name"),
        bound=bindings.of_connector,
        was_tenant_s=True,
    ),
    Sealed(
        table="connectors",
        column="env",
        key=("tenant", "name"),
        bound=bindings.of_connector,
        was_tenant_s=True,
    ),
    Sealed(
        table="credentials", column="headers", key=_OF_CREDENTIALS, bound=bindings.of_credential
    ),
    Sealed(table="credentials", column="renewable", key=_OF_CREDENTIALS, bound=bindings.of_grant),
    Sealed(
        table="credentials", column="revocation", key=_OF_CREDENTIALS, bound=bindings.of_revocation
    ),
    *(
        Sealed(
            table="revocations",
            column=column,
            key=(*_OF_CREDENTIALS, "id"),
            bound=lambda tenant, connector, principal, _, bound=bound: bound(
                tenant, connector, principal
            ),
        )
        for column, bound in (
            ("revocation", bindings.of_revocation),
            ("renewable", bindings.of_grant),
            ("headers", bindings.of_credential),
        )
    ),
    Sealed(
        table="sign_ins",
        column="pending",
        key=("tenant", "connector", "id"),
        bound=bindings.of_sign_in,
    ),
    Sealed(
        table="oauth_clients",
        column="client",
        # Several of one issuer have one binding; the last name only finds the row.
        key=("tenant", "connector", "issuer", "redirect_uri"),
        bound=lambda tenant, connector, issuer, _: bindings.of_client(tenant, connector, issuer),
    ),
    Sealed(
        table="variables",
        column="value",
        key=("tenant", "principal", "name"),
        bound=bindings.of_variable,
    ),
)


async def reseal(engine: AsyncEngine, envelope: Envelope) -> Resealed:
    """Seals all of tool-registry's by the current key; see `reseal_columns`."""
    return await reseal_columns(engine, envelope, COLUMNS)


def main() -> None:
    """Seals anew from the command line."""
    settings = Settings()  # pyright: ignore[reportCallIssue] # read from the environment
    reseal_and_exit(str(settings.system_database_url), settings.secret_keys, COLUMNS)


if __name__ == "__main__":
    main()
