-- Of which contents summaries were asked for, whole or in parts: a summary goes with the last.
CREATE TABLE summarized (
  tenant uuid NOT NULL,
  content bytea NOT NULL,
  -- Of the summary.
  digest bytea NOT NULL,
  recipe text NOT NULL,
  PRIMARY KEY (tenant, content, digest, recipe),
  FOREIGN KEY (tenant, content) REFERENCES contents (tenant, digest) ON DELETE CASCADE
);

CREATE INDEX summarized_by_summary ON summarized (tenant, digest, recipe);
