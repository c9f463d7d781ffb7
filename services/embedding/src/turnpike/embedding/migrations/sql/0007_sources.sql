-- What feeds a folder of a collection from a connector's resources. It is a job too: due by
-- a schedule, or because somebody asked, and claimed for a while.
CREATE TABLE sources (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  collection uuid NOT NULL,
  -- The folder that it owns: nobody else's source writes there.
  folder text COLLATE "C" NOT NULL,
  connector text NOT NULL,
  -- In whose name it reads, and who pays.
  principal text NOT NULL,
  include text[] NOT NULL,
  exclude text[] NOT NULL,
  uris text[] NOT NULL,
  seconds integer NOT NULL,
  paused boolean NOT NULL,
  overwrites boolean NOT NULL,
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  -- The claim: every write of a run names the fence, and is refused when it is another's.
  fence bigint NOT NULL DEFAULT 0,
  -- Claims that this run has worn out.
  attempts integer NOT NULL DEFAULT 0,
  -- When it may be claimed: while it is claimed, when the claim runs out. Nothing: it is
  -- paused, and nobody asked.
  due_at timestamptz,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, name),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, id) ON DELETE CASCADE
);

CREATE INDEX sources_due ON sources (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sources_of_collection ON sources (tenant, collection);

-- Each reading of a source: at most one waits, and one is under way.
CREATE TABLE source_runs (
  tenant uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  source uuid NOT NULL,
  state text NOT NULL DEFAULT 'QUEUED' CHECK (
    state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED')),
  -- Whether everything is read again, whatever the server says of it.
  anew boolean NOT NULL,
  reason text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',
  listed integer NOT NULL DEFAULT 0,
  added integer NOT NULL DEFAULT 0,
  changed integer NOT NULL DEFAULT 0,
  removed integer NOT NULL DEFAULT 0,
  failed integer NOT NULL DEFAULT 0,
  skipped integer NOT NULL DEFAULT 0,
  unchanged integer NOT NULL DEFAULT 0,
  incomplete boolean NOT NULL DEFAULT false,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  started timestamptz,
  ended timestamptz,
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, source) REFERENCES sources (tenant, id) ON DELETE CASCADE
);

CREATE INDEX source_runs_of_source ON source_runs (tenant, source, id DESC);
CREATE UNIQUE INDEX source_runs_queued ON source_runs (tenant, source) WHERE state = 'QUEUED';
CREATE UNIQUE INDEX source_runs_running ON source_runs (tenant, source) WHERE state = 'RUNNING';

-- What a source has read, and what became of it.
CREATE TABLE source_items (
  tenant uuid NOT NULL,
  source uuid NOT NULL,
  uri text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  -- Its document, and that one's state as the source wrote it last: a revision's version.
  document uuid,
  version bigint NOT NULL DEFAULT 0,
  -- What the server said of it then, and the digest of what it had in it.
  mark text NOT NULL DEFAULT '',
  digest bytea NOT NULL DEFAULT '',
  state text NOT NULL CHECK (state IN ('OK', 'FAILED', 'SKIPPED', 'REMOVED')),
  reason text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',
  -- The run that wrote this last: whoever goes on with it does not count it again.
  run bigint NOT NULL,
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, source, uri),
  UNIQUE (tenant, source, path),
  FOREIGN KEY (tenant, source) REFERENCES sources (tenant, id) ON DELETE CASCADE
);
