-- Everything has a tenant; see turnpike.database.migration.protect.

CREATE TABLE agents (
  tenant uuid NOT NULL,
  name text NOT NULL,
  active_version uuid NOT NULL,
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, name)
);

-- Immutable. `agent` is empty for an inline one, which is found by its digest.
CREATE TABLE agent_versions (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  agent text NOT NULL,
  number integer NOT NULL,
  digest text NOT NULL,
  spec jsonb NOT NULL,
  created_by uuid NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  UNIQUE (tenant, agent, number)
);
CREATE UNIQUE INDEX agent_versions_inline ON agent_versions (tenant, digest) WHERE agent = '';

CREATE TABLE models (
  tenant uuid NOT NULL,
  name text NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  base_url text NOT NULL,
  sealed_api_key text NOT NULL,
  role text NOT NULL,
  prices jsonb,
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, name)
);

CREATE TABLE threads (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  title text NOT NULL DEFAULT '',
  metadata jsonb NOT NULL DEFAULT '{}',
  temporary boolean NOT NULL DEFAULT false,
  deleting boolean NOT NULL DEFAULT false,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX threads_newest ON threads (tenant, created DESC, id DESC) WHERE NOT temporary;

CREATE TABLE turns (
  id uuid PRIMARY KEY,
  position bigint GENERATED ALWAYS AS IDENTITY,
  tenant uuid NOT NULL,
  thread uuid NOT NULL REFERENCES threads ON DELETE CASCADE,
  principal uuid NOT NULL,
  api_key text NOT NULL,
  -- Idempotency: one live turn per (principal, request_id); a refused one may be tried again.
  request_id text NOT NULL,
  payload_digest bytea NOT NULL,
  attempt integer NOT NULL DEFAULT 1,

  status text NOT NULL CHECK (status IN ('QUEUED', 'RUNNING', 'WAITING', 'COMPLETED', 'FAILED',
                                         'CANCELLED', 'EXPIRED', 'REFUSED')),
  waiting_for text NOT NULL DEFAULT '',
  agent text NOT NULL,
  agent_version uuid NOT NULL,
  input jsonb NOT NULL,
  time_zone text NOT NULL,
  metadata jsonb NOT NULL,
  traceparent text NOT NULL,

  -- Ownership. The fence rises with each claim; every writer names it.
  owner uuid,
  owner_name text NOT NULL DEFAULT '',
  fence bigint NOT NULL,
  -- Not terminal means: an owner that lives, or a moment at which somebody claims it.
  due_at timestamptz,
  desired text NOT NULL DEFAULT '' CHECK (desired IN ('', 'cancel')),
  -- Claims since the last committed step.
  fruitless integer NOT NULL DEFAULT 1,

  -- The log: what is committed, and up to where numbers may have been shown.
  committed_seq bigint NOT NULL DEFAULT 0,
  reserved_seq bigint NOT NULL,

  step integer NOT NULL DEFAULT 0,
  answer text NOT NULL DEFAULT '',
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cached_tokens bigint NOT NULL DEFAULT 0,
  cache_write_tokens bigint NOT NULL DEFAULT 0,
  cost_micro_usd bigint NOT NULL DEFAULT 0,
  error_reason text NOT NULL DEFAULT '',
  error_message text NOT NULL DEFAULT '',
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  finished timestamptz,

  CONSTRAINT nobody_forgotten CHECK (
    status IN ('COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED', 'REFUSED')
    OR owner IS NOT NULL OR due_at IS NOT NULL)
);
CREATE UNIQUE INDEX turns_request ON turns (tenant, principal, request_id)
  WHERE request_id <> '' AND status <> 'REFUSED';
CREATE INDEX turns_requested ON turns (tenant, principal, request_id, position)
  WHERE request_id <> '';
CREATE UNIQUE INDEX turns_one_per_thread ON turns (thread) WHERE status IN ('RUNNING', 'WAITING');
CREATE INDEX turns_open ON turns (thread, position)
  WHERE status IN ('QUEUED', 'RUNNING', 'WAITING');
CREATE INDEX turns_of_thread ON turns (thread, position);
CREATE INDEX turns_newest ON turns (tenant, position DESC);
CREATE INDEX turns_due ON turns (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX turns_owned ON turns (owner) WHERE owner IS NOT NULL;

-- One model call and the tool calls that it asked for. A row is written when
-- the step asks, or with the turn's end; `done` when its calls have ended.
CREATE TABLE steps (
  turn uuid NOT NULL REFERENCES turns ON DELETE CASCADE,
  step integer NOT NULL,
  tenant uuid NOT NULL,
  reply jsonb NOT NULL,
  done boolean NOT NULL,
  PRIMARY KEY (turn, step)
);

CREATE TABLE calls (
  turn uuid NOT NULL REFERENCES turns ON DELETE CASCADE,
  step integer NOT NULL,
  ordinal integer NOT NULL,
  tenant uuid NOT NULL,
  call_id text NOT NULL,
  provider_id text NOT NULL,
  name text NOT NULL,
  arguments text NOT NULL,
  definition_digest text NOT NULL,
  -- Empty until it ended: OK, ERROR, DENIED, REJECTED, CANCELLED, UNKNOWN.
  outcome text NOT NULL DEFAULT '',
  result text NOT NULL DEFAULT '',
  structured text NOT NULL DEFAULT '',
  PRIMARY KEY (turn, step, ordinal)
);

-- The log's committed part: the events of a commit with the deltas before it.
CREATE TABLE batches (
  turn uuid NOT NULL REFERENCES turns ON DELETE CASCADE,
  first_seq bigint NOT NULL,
  last_seq bigint NOT NULL,
  tenant uuid NOT NULL,
  fence bigint NOT NULL,
  events bytea NOT NULL,
  PRIMARY KEY (turn, first_seq)
);
