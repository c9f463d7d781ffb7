"""Snapshots and receipts as they are given away: signed, and read back only if we signed."""

import hmac
from uuid import UUID

from google.protobuf.message import DecodeError, Message

from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb
from turnpike.api.gatekeeper.v1.snapshot_pb2 import AdmissionSnapshot, HoldReceipt, Sealed
from turnpike.gatekeeper.refusals import SnapshotInvalidError
from turnpike.gatekeeper.terms import Price, Receipt, Snapshot, Tariff

_SNAPSHOT = b"turnpike admission snapshot 1\0"
_RECEIPT = b"turnpike hold receipt 1\0"

CLASSES = {
    pb.RATE_CLASS_UNSPECIFIED: "sync",
    pb.RATE_CLASS_SYNC: "sync",
    pb.RATE_CLASS_ASYNC: "async",
    pb.RATE_CLASS_API: "api",
}
_CLASS_NUMBERS = {name: number for number, name in CLASSES.items()}


class Seals:
    """Signs what is given away and comes back, by a secret that only gatekeepers know.

    Nobody else has to verify it, so a keyed hash does, at a fiftieth of a signature's
    time. What is signed says what it is, so that a receipt never passes for a snapshot,
    and neither for a token.
    """

    def __init__(self, seed: bytes) -> None:
        self._secret = hmac.digest(seed, b"turnpike seals 1", "sha256")

    def seal_snapshot(self, snapshot: Snapshot) -> bytes:
        """Returns a snapshot, signed."""
        return self._seal(_SNAPSHOT, _snapshot_message(snapshot))

    def open_snapshot(self, sealed: bytes, turn: str, tenant: str) -> Snapshot:
        """Returns what a snapshot says.

        Raises:
            SnapshotInvalidError: It was not signed here, or is another turn's.
        """
        message = AdmissionSnapshot()
        if not self._open(_SNAPSHOT, sealed, message):
            raise SnapshotInvalidError(turn)
        snapshot = _snapshot(message)
        if (snapshot.turn, snapshot.tenant) != (UUID(turn), UUID(tenant)):
            raise SnapshotInvalidError(turn)
        return snapshot

    def seal_receipt(self, receipt: Receipt) -> bytes:
        """Returns a receipt, signed."""
        message = HoldReceipt(
            turn=str(receipt.turn),
            tenant=str(receipt.tenant),
            principal=str(receipt.principal),
            key=str(receipt.key or ""),
            agent=receipt.agent,
            parts=receipt.parts,
        )
        return self._seal(_RECEIPT, message)

    def open_receipt(self, sealed: bytes, turn: str, tenant: str) -> Receipt | None:
        """Returns what a receipt says; None where it was not signed here for that turn."""
        message = HoldReceipt()
        if not self._open(_RECEIPT, sealed, message):
            return None
        if (UUID(message.turn), UUID(message.tenant)) != (UUID(turn), UUID(tenant)):
            return None
        return Receipt(
            turn=UUID(message.turn),
            tenant=UUID(message.tenant),
            principal=UUID(message.principal),
            key=_uuid(message.key),
            agent=message.agent,
            parts=dict(message.parts),
        )

    def _seal(self, kind: bytes, message: Message) -> bytes:
        content = message.SerializeToString(deterministic=True)
        signature = hmac.digest(self._secret, kind + content, "sha256")
        return Sealed(content=content, signature=signature).SerializeToString()

    def _open(self, kind: bytes, sealed: bytes, message: Message) -> bool:
        try:
            parts = Sealed.FromString(sealed)
            signature = hmac.digest(self._secret, kind + parts.content, "sha256")
            if not hmac.compare_digest(parts.signature, signature):
                return False
            message.ParseFromString(parts.content)
        except DecodeError:
            return False
        return True


def price_of(message: pb.Prices) -> Price:
    """Returns prices as the wire has them."""
    return Price(
        input=message.input,
        output=message.output,
        cached=message.cached if message.HasField("cached") else None,
        cache_write=message.cache_write if message.HasField("cache_write") else None,
    )


def price_message(price: Price) -> pb.Prices:
    """Returns prices for the wire."""
    return pb.Prices(
        input=price.input, output=price.output, cached=price.cached, cache_write=price.cache_write
    )


def _snapshot_message(snapshot: Snapshot) -> AdmissionSnapshot:
    tariff = snapshot.tariff
    prices = [
        *(
            pb.ModelPrice(model=model, prices=price_message(price))
            for model, price in tariff.prices.items()
            if model not in tariff.own_keys
        ),
        *(pb.ModelPrice(model=model, own_key=True) for model in sorted(tariff.own_keys)),
    ]
    return AdmissionSnapshot(
        turn=str(snapshot.turn),
        tenant=str(snapshot.tenant),
        principal=str(snapshot.principal),
        caller=str(snapshot.caller or ""),
        key=str(snapshot.key or ""),
        agent_owner=str(snapshot.agent_owner or ""),
        agent=snapshot.agent,
        rate_class=_CLASS_NUMBERS[snapshot.rate_class],
        payer=snapshot.payer,
        plan=snapshot.plan,
        prices=prices,
        default_prices=price_message(tariff.default),
    )


def _snapshot(message: AdmissionSnapshot) -> Snapshot:
    return Snapshot(
        turn=UUID(message.turn),
        tenant=UUID(message.tenant),
        principal=UUID(message.principal),
        caller=_uuid(message.caller),
        key=_uuid(message.key),
        agent_owner=_uuid(message.agent_owner),
        agent=message.agent,
        rate_class=CLASSES[message.rate_class],
        payer=message.payer,
        plan=message.plan,
        tariff=Tariff(
            prices={
                each.model: price_of(each.prices) for each in message.prices if not each.own_key
            },
            own_keys=frozenset(each.model for each in message.prices if each.own_key),
            default=price_of(message.default_prices),
        ),
    )


def _uuid(text: str) -> UUID | None:
    return UUID(text) if text else None
