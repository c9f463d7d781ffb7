-- The ledger in sums, for reports: a row for each quarter of an hour in which something was
-- used, since every time zone's days begin at one. Written with the ledger, by its trigger.
CREATE TABLE usage_quarters (
  tenant uuid NOT NULL,
  starts timestamptz NOT NULL,
  principal uuid NOT NULL,
  agent text NOT NULL,
  model text NOT NULL,
  default_price boolean NOT NULL,
  own_key boolean NOT NULL,
  estimated boolean NOT NULL,
  entries bigint NOT NULL,
  input_tokens bigint NOT NULL,
  cached_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  reasoning_tokens bigint NOT NULL,
  cost_micro_usd bigint NOT NULL,
  PRIMARY KEY (tenant, starts, principal, agent, model, default_price, own_key, estimated)
);
-- A member's own report.
CREATE INDEX usage_quarters_of_principal ON usage_quarters (tenant, principal, starts);
-- A report of all tenants. Rows are added as time goes, so the smallest index serves.
CREATE INDEX usage_quarters_newest ON usage_quarters USING brin (starts);

-- A member's own entries.
CREATE INDEX ledger_of_principal ON ledger (tenant, principal, created DESC, id DESC);

-- Settlements of a tenant take turns at its account's row, so rows here are never
-- locked in two orders.
CREATE FUNCTION sum_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO usage_quarters AS q
  SELECT w.tenant, date_bin('15 minutes', w.created, 'epoch'), w.principal, w.agent, w.model,
    w.default_price, w.own_key, w.estimated, count(*), sum(w.input_tokens),
    sum(w.cached_tokens), sum(w.cache_write_tokens), sum(w.output_tokens),
    sum(w.reasoning_tokens), sum(w.cost_micro_usd)
  FROM written w
  GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
  ORDER BY 1, 2, 3, 4, 5, 6, 7, 8
  ON CONFLICT (tenant, starts, principal, agent, model, default_price, own_key, estimated)
  DO UPDATE SET entries = q.entries + excluded.entries,
    input_tokens = q.input_tokens + excluded.input_tokens,
    cached_tokens = q.cached_tokens + excluded.cached_tokens,
    cache_write_tokens = q.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = q.output_tokens + excluded.output_tokens,
    reasoning_tokens = q.reasoning_tokens + excluded.reasoning_tokens,
    cost_micro_usd = q.cost_micro_usd + excluded.cost_micro_usd;
  RETURN NULL;
END $$;

CREATE TRIGGER sum_usage AFTER INSERT ON ledger
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION sum_usage();
