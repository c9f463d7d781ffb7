-- Contents, and bytes in the blob store, that perhaps no revision is made of any more, or never
-- was: each is looked at when it is due, and what nothing names is deleted.
CREATE TABLE leftovers (
  tenant uuid NOT NULL,
  -- Of the content.
  digest bytea NOT NULL,
  -- The original's key in the blob store. Empty: it has none.
  blob text NOT NULL,
  due_at timestamptz NOT NULL,
  PRIMARY KEY (tenant, digest, blob)
);

CREATE INDEX leftovers_due ON leftovers (due_at);
