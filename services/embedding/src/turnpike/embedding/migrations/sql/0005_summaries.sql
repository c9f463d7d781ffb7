-- What the planner said of texts: of whole ones, and of parts of long ones. Kept by what was
-- summarized, so that the same is never paid for twice.
CREATE TABLE summaries (
  tenant uuid NOT NULL,
  -- SHA-256 of the text that was summarized.
  digest bytea NOT NULL,
  -- How: the version of what the planner is told, and how many words it may say.
  recipe text NOT NULL,
  summary text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, digest, recipe)
);
