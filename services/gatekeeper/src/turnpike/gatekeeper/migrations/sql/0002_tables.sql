-- The catalogue of plans, which every tenant is offered. Null is no limit.
--
-- Rates are in calls, and tokens, a minute. No number here exceeds what scripts
-- reckon with exactly (2^53): rates stay below 10^9, money below 10^15.
CREATE DOMAIN rate AS bigint CHECK (VALUE > 0 AND VALUE <= 1000000000);
CREATE DOMAIN micro_usd AS bigint CHECK (VALUE >= 0 AND VALUE <= 1000000000000000);
-- Millionths of a dollar for a million tokens.
CREATE DOMAIN price AS bigint CHECK (VALUE >= 0 AND VALUE <= 10000000000);

CREATE TABLE plans (
  name text PRIMARY KEY CHECK (name <> ''),
  tier text NOT NULL CHECK (tier IN ('free', 'pro', 'team', 'enterprise')),
  sync_per_minute rate,
  -- How many at once, beyond which the rate spaces them; null is as many as a minute's.
  sync_burst rate,
  async_per_minute rate,
  async_burst rate,
  api_per_minute rate,
  api_burst rate,
  tokens_per_minute rate,
  tokens_burst rate,
  -- Of the tenant, where its subscription is the organisation's; else of the principal.
  slots integer CHECK (slots > 0),
  monthly_limit_micro_usd micro_usd,
  created timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who is on which plan. The highest tier wins, and within a tier the
-- organisation's before the principal's own; the winner pays.
CREATE TABLE subscriptions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant uuid NOT NULL REFERENCES tenants,
  -- Null for the organisation's.
  principal uuid,
  plan text NOT NULL REFERENCES plans,
  -- What is past due is still in force; what has ended is not.
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'past_due', 'ended')),
  starts timestamptz NOT NULL DEFAULT clock_timestamp(),
  ends timestamptz,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  FOREIGN KEY (tenant, principal) REFERENCES principals (tenant, id)
);
CREATE INDEX subscriptions_of_tenant ON subscriptions (tenant, principal);
CREATE INDEX subscriptions_of_plan ON subscriptions (plan);

-- What a tenant has instead of its plan's: null is as the plan says.
CREATE TABLE overrides (
  tenant uuid PRIMARY KEY REFERENCES tenants,
  sync_per_minute rate,
  sync_burst rate,
  async_per_minute rate,
  async_burst rate,
  api_per_minute rate,
  api_burst rate,
  tokens_per_minute rate,
  tokens_burst rate,
  slots integer CHECK (slots > 0),
  monthly_limit_micro_usd micro_usd,
  -- What a model without a price costs; null is the service's default.
  default_input_price price,
  default_output_price price
);

-- What may be spent, by whom and in which period of UTC. Every budget above a turn holds.
CREATE TABLE budgets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant uuid NOT NULL REFERENCES tenants,
  scope text NOT NULL CHECK (scope IN ('tenant', 'principal', 'key', 'agent')),
  -- The principal's or key's id, the agent's name; empty for the tenant.
  subject text NOT NULL DEFAULT '' CHECK ((scope = 'tenant') = (subject = '')),
  period text NOT NULL CHECK (period IN ('day', 'month', 'total')),
  limit_micro_usd micro_usd NOT NULL,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (tenant, scope, subject, period)
);

-- What was spent: rolled up by the statement that writes the ledger.
CREATE TABLE counters (
  tenant uuid NOT NULL,
  scope text NOT NULL,
  subject text NOT NULL,
  period text NOT NULL,
  -- When the period begins; the epoch for `total`.
  starts timestamptz NOT NULL,
  spent_micro_usd bigint NOT NULL,
  PRIMARY KEY (tenant, scope, subject, period, starts)
);

-- One row for each tenant: which state of its money and limits one has read.
CREATE TABLE accounts (
  tenant uuid PRIMARY KEY REFERENCES tenants,
  -- Raised by each settlement, and each change of a budget, plan or override.
  version bigint NOT NULL DEFAULT 1,
  -- The version of the last change that was no settlement.
  changed bigint NOT NULL DEFAULT 1,
  -- All that was ever settled: how much of it somebody has read who read less.
  settled_micro_usd bigint NOT NULL DEFAULT 0
);

-- What was used, and what it cost. Nothing in it ever changes or goes.
CREATE TABLE ledger (
  tenant uuid NOT NULL,
  -- Derived from (turn, step, call, attempt), so that a replay finds itself.
  id uuid NOT NULL,
  turn uuid NOT NULL,
  segment bigint NOT NULL,
  step bigint NOT NULL,
  call bigint NOT NULL,
  attempt bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('chat', 'embedding', 'internal')),
  principal uuid NOT NULL,
  key uuid,
  agent text NOT NULL,
  model text NOT NULL,
  input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
  cached_tokens bigint NOT NULL CHECK (cached_tokens >= 0),
  cache_write_tokens bigint NOT NULL CHECK (cache_write_tokens >= 0),
  output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
  reasoning_tokens bigint NOT NULL CHECK (reasoning_tokens >= 0),
  cost_micro_usd bigint NOT NULL CHECK (cost_micro_usd >= 0),
  -- Reckoned at the default price, since the model's was unknown.
  default_price boolean NOT NULL,
  -- Paid by the caller's own provider key.
  own_key boolean NOT NULL,
  -- Reckoned, not reported by the provider.
  estimated boolean NOT NULL,
  -- `tenant`, or `principal` where a personal plan pays.
  payer text NOT NULL CHECK (payer IN ('tenant', 'principal')),
  -- Empty where there was none.
  plan text NOT NULL,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, id)
);
CREATE INDEX ledger_newest ON ledger (tenant, created DESC, id DESC);
CREATE INDEX ledger_of_turn ON ledger (tenant, turn);

ALTER TABLE refusals
  ADD COLUMN caller uuid,
  ADD COLUMN key uuid,
  ADD COLUMN agent text NOT NULL DEFAULT '',
  -- What the error told beside its reason.
  ADD COLUMN details jsonb NOT NULL DEFAULT '{}';
CREATE INDEX refusals_newest ON refusals (tenant, created DESC);
