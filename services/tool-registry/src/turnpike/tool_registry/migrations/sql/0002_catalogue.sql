-- What a connector is like beyond being there or not: whose it is, whether it is
-- switched on, what is wrong with it in a word that machines know.
ALTER TABLE connectors
  DROP CONSTRAINT connectors_state_check,
  ADD CONSTRAINT connectors_state_check CHECK (state IN ('', 'OK', 'DEGRADED', 'NEEDS_AUTH')),
  DROP CONSTRAINT connectors_transport_check,
  ADD CONSTRAINT connectors_transport_check CHECK (transport IN ('HTTP', 'SSE', 'STDIO')),
  -- The principal whose it is; empty for the tenant's.
  ADD COLUMN owner text NOT NULL DEFAULT '',
  ADD COLUMN enabled boolean NOT NULL DEFAULT true,
  -- Each call needs the requester's own credential.
  ADD COLUMN personal boolean NOT NULL DEFAULT false,
  -- Whether what its tools say about effects counts for nothing.
  ADD COLUMN distrusted boolean NOT NULL DEFAULT false,
  ADD COLUMN fault text NOT NULL DEFAULT '',
  ADD COLUMN warnings text[] NOT NULL DEFAULT '{}',
  -- When the last good discovery began.
  ADD COLUMN discovered_at timestamptz,
  -- Until when a discovery that is under way has its claim.
  ADD COLUMN claimed_until timestamptz,
  -- The server said that its list changed while it was being read.
  ADD COLUMN changed boolean NOT NULL DEFAULT false,
  -- Whether the server tells of changes, and which replica listens.
  ADD COLUMN tells boolean NOT NULL DEFAULT false,
  ADD COLUMN listener uuid,
  -- When its tools were last asked for, about.
  ADD COLUMN used timestamptz NOT NULL DEFAULT statement_timestamp();

CREATE INDEX connectors_telling ON connectors (used) WHERE tells AND enabled;
CREATE INDEX connectors_listened ON connectors (listener) WHERE tells;

CREATE INDEX connectors_changed ON connectors (refresh_at) WHERE changed;

-- A row is what the server shows now; what may be shown on is pinned.
ALTER TABLE tools
  DROP CONSTRAINT tools_state_check,
  ADD CONSTRAINT tools_state_check CHECK (state IN ('OK', 'INVALID', 'QUARANTINED')),
  -- How it differs from what was approved, and what is odd about its text.
  ADD COLUMN drift text[] NOT NULL DEFAULT '{}',
  ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
  ADD COLUMN renamed_from text NOT NULL DEFAULT '';

-- The definitions that were approved, or seen first. They outlive the rows of `tools`: a
-- tool that goes away and comes back is compared with what it was.
CREATE TABLE tool_pins (
  tenant uuid NOT NULL,
  connector text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  definition text NOT NULL,
  digest text NOT NULL,
  -- Empty when nobody was asked: the first use, or a harmless change.
  approver text NOT NULL DEFAULT '',
  approved timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, connector, name),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

-- What admins say about single tools.
CREATE TABLE tool_settings (
  tenant uuid NOT NULL,
  connector text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  alias text COLLATE "C" NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, connector, name),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

CREATE UNIQUE INDEX tool_settings_alias ON tool_settings (tenant, alias) WHERE alias <> '';

-- Headers that one person's calls carry; sealed, apart from the catalogue.
CREATE TABLE credentials (
  tenant uuid NOT NULL,
  connector text COLLATE "C" NOT NULL,
  principal text COLLATE "C" NOT NULL,
  headers text NOT NULL,
  header_names text[] NOT NULL,
  -- Another one with each change: connections are kept by it.
  version text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, connector, principal),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

-- What was discovered before there were pins was used before there were pins.
INSERT INTO tool_pins (tenant, connector, name, definition, digest)
  SELECT tenant, connector, name, definition, digest FROM tools WHERE state = 'OK';

ALTER TABLE calls
  -- Whose session with the server it may use.
  ADD COLUMN conversation text NOT NULL DEFAULT '',
  -- Raised when somebody has a call of unknown outcome run again.
  ADD COLUMN generation integer NOT NULL DEFAULT 1,
  -- What the server calls a task that goes on without a connection.
  ADD COLUMN task text NOT NULL DEFAULT '',
  -- Who said what became of a call of unknown outcome.
  ADD COLUMN resolved_by text NOT NULL DEFAULT '';
ALTER TABLE calls
  -- What was said: DONE, NOT_DONE or RUN_AGAIN.
  ADD COLUMN resolution text NOT NULL DEFAULT '';
