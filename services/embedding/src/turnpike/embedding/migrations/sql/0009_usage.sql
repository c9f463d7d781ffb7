-- What calls used and gatekeeper's ledger may not have yet. A row of vectors that are kept is
-- written by the transaction that keeps them; that of a call which keeps nothing before it is
-- answered. It is deleted once the ledger has it.
CREATE TABLE usage_outbox (
  -- Known to the ledger: who settles it twice bills it once.
  call uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  -- Who pays, under which plan and prices: gatekeeper's, signed.
  snapshot bytea NOT NULL,
  model text NOT NULL,
  tokens bigint NOT NULL,
  cached_tokens bigint NOT NULL,
  -- Whether the tokens are another model's, or nobody knows whether the call was answered.
  estimated boolean NOT NULL,
  due_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0
);

CREATE INDEX usage_outbox_due ON usage_outbox (due_at);
