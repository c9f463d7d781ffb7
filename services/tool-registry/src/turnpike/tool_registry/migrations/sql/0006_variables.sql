-- Values that connectors and agents name. All are sealed; a secret's is never told again.
CREATE TABLE variables (
  tenant uuid NOT NULL,
  -- Whose it is; empty for the tenant's.
  principal text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  secret boolean NOT NULL,
  value text NOT NULL,
  -- Another one with each change: connections are kept by it.
  version text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, principal, name)
);

-- The names of the variables that it is filled in with, which stand among sealed texts too.
ALTER TABLE connectors ADD COLUMN variables text[] NOT NULL DEFAULT '{}';
