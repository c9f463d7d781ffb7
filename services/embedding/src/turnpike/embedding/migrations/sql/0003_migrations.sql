-- Which model, by what its vectors depend on, has which key in `model` columns. A model
-- that was changed under its name has another key: its vectors never meet the old ones.
CREATE TABLE model_keys (
  -- The model's name; with `@` and more where the name had another model before.
  key text PRIMARY KEY,
  name text NOT NULL,
  -- SHA-256 of what a stored vector depends on beside its text.
  identity bytea NOT NULL,
  -- When a replica last came up with it: the latest of a name is what is configured.
  started timestamptz NOT NULL DEFAULT statement_timestamp(),
  UNIQUE (name, identity)
);

-- The model whose vectors are made beside the present one's. Nothing: none.
ALTER TABLE collections ADD COLUMN next_model text;

-- As `indexing`, of the collection's next model.
ALTER TABLE documents ADD COLUMN next_indexing uuid;

-- Whether nobody waits for it: a migration wants it. It goes after what somebody waits for.
ALTER TABLE indexings ADD COLUMN backfill boolean NOT NULL DEFAULT false;

CREATE INDEX indexings_waiting ON indexings (tenant, backfill, due_at)
  WHERE state NOT IN ('READY', 'FAILED');
CREATE INDEX indexings_of_model ON indexings (tenant, collection, model, id);
CREATE INDEX chunks_of_model ON chunks (tenant, collection, model);

-- A collection's migration to another model, or its last one. It is a job too, which a
-- replica claims for a while.
CREATE TABLE migrations (
  tenant uuid NOT NULL,
  collection uuid NOT NULL,
  -- Keys of models.
  source text NOT NULL,
  target text NOT NULL,
  state text NOT NULL CHECK (state IN ('RUNNING', 'REPLACING', 'ACTIVATED', 'ABORTED')),
  principal text NOT NULL,
  -- The indexings of the old model up to this id have theirs of the new one.
  asked_to uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  all_asked boolean NOT NULL DEFAULT false,
  -- How the two models compare.
  sample integer NOT NULL DEFAULT 0,
  recall real NOT NULL DEFAULT 0,
  agreement real NOT NULL DEFAULT 0,
  source_hits real NOT NULL DEFAULT 0,
  target_hits real NOT NULL DEFAULT 0,
  fence bigint NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  -- When what is not wanted any more was gone.
  ended timestamptz,
  PRIMARY KEY (tenant, collection),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, id) ON DELETE CASCADE
);

CREATE INDEX migrations_open ON migrations (due_at) WHERE ended IS NULL;
