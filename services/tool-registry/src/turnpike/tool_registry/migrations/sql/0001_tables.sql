-- MCP servers. Their secrets are sealed; nothing of them is in the catalogue.
CREATE TABLE connectors (
  tenant uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  transport text NOT NULL CHECK (transport IN ('HTTP', 'STDIO')),
  url text NOT NULL,
  command jsonb NOT NULL,
  -- Sealed JSON objects, and the names in them, in the clear.
  headers text NOT NULL,
  env text NOT NULL,
  header_names text[] NOT NULL,
  env_names text[] NOT NULL,
  etag text NOT NULL,
  -- Raised by each change: tools of an older generation are never shown.
  generation bigint NOT NULL DEFAULT 1,
  -- Raised whenever the tools were written: what replicas cache is keyed by it.
  revision bigint NOT NULL DEFAULT 0,
  state text NOT NULL DEFAULT '' CHECK (state IN ('', 'OK', 'DEGRADED')),
  state_reason text NOT NULL DEFAULT '',
  -- Whether this generation's tools were ever discovered.
  discovered boolean NOT NULL DEFAULT false,
  failures integer NOT NULL DEFAULT 0,
  -- When the tools are to be discovered again. A discovery claims it by moving it.
  refresh_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, name)
);

-- Connectors that never were discovered, or failed last time: the sweep tries again.
CREATE INDEX connectors_unsettled ON connectors (refresh_at) WHERE state <> 'OK';

CREATE TABLE tools (
  tenant uuid NOT NULL,
  connector text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  -- Canonical JSON; its SHA-256 is the digest.
  definition text NOT NULL,
  digest text NOT NULL,
  state text NOT NULL CHECK (state IN ('OK', 'INVALID')),
  PRIMARY KEY (tenant, connector, name),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

-- The highest claim of each turn that was ever seen.
CREATE TABLE turn_fences (
  tenant uuid NOT NULL,
  turn uuid NOT NULL,
  fence bigint NOT NULL,
  PRIMARY KEY (tenant, turn)
);

-- The effect ledger. A row is there before the request leaves.
CREATE TABLE calls (
  tenant uuid NOT NULL,
  -- `turn:step:ordinal`.
  effect text COLLATE "C" NOT NULL,
  turn uuid NOT NULL,
  step integer NOT NULL,
  ordinal integer NOT NULL,
  fence bigint NOT NULL,
  -- Of tool, definition and arguments: the same effect is the same call.
  digest text NOT NULL,
  tool text NOT NULL,
  definition_digest text NOT NULL,
  -- Verbatim.
  arguments text NOT NULL,
  principal text NOT NULL,
  traceparent text NOT NULL,
  -- Whose process runs it; none when that process died before it began.
  executor uuid,
  attempt integer NOT NULL DEFAULT 1,
  -- Read-only or idempotent, by the definition that was dispatched.
  repeatable boolean NOT NULL DEFAULT false,
  status text NOT NULL DEFAULT 'PENDING' CHECK (
    status IN ('PENDING', 'DISPATCHED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'UNKNOWN')),
  result text NOT NULL DEFAULT '',
  structured text NOT NULL DEFAULT '',
  reason text NOT NULL DEFAULT '',
  deadline timestamptz NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  dispatched timestamptz,
  finished timestamptz,
  PRIMARY KEY (tenant, effect)
);

CREATE INDEX calls_open ON calls (executor) WHERE status IN ('PENDING', 'DISPATCHED');
