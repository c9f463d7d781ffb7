-- What calls brought that is no text, or too much of it; the bytes are blobs.

CREATE TABLE artifacts (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  principal text NOT NULL,
  turn uuid NOT NULL,
  effect text COLLATE "C" NOT NULL,
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  digest text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX artifacts_of_turn ON artifacts (tenant, turn, effect, id);
CREATE INDEX artifacts_oldest ON artifacts (created);
