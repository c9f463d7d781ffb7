-- Files that are given to agents, and the threads that hold them.

CREATE TABLE files (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  digest text NOT NULL,
  -- PENDING until all its bytes are kept; DELETED is for ever, and hides it.
  state text NOT NULL CHECK (state IN ('PENDING', 'READY', 'DELETED')),
  -- When the sweep looks whether anybody holds it; NULL while a thread does.
  due timestamptz,
  created timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX files_newest ON files (tenant, created DESC, id DESC) WHERE state = 'READY';
CREATE INDEX files_due ON files (due) WHERE due IS NOT NULL;

CREATE TABLE thread_files (
  thread uuid NOT NULL REFERENCES threads ON DELETE CASCADE,
  file uuid NOT NULL REFERENCES files,
  tenant uuid NOT NULL,
  PRIMARY KEY (thread, file)
);
CREATE INDEX thread_files_of_file ON thread_files (file);

-- Holds a turn's files in the transaction that claims it: a file is of the turn, or the turn is not
-- there. Who deletes a file, or sweeps it, changes the same row, so that one of them comes first.
CREATE FUNCTION hold_files() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted uuid[];
  held integer;
BEGIN
  SELECT array_agg(DISTINCT (part ->> 'file')::uuid) INTO wanted
    FROM jsonb_array_elements(NEW.input) AS part WHERE part ? 'file';
  -- In order: turns that hold the same files take turns.
  PERFORM FROM files f WHERE f.id = ANY(wanted) ORDER BY f.id FOR UPDATE;
  UPDATE files f SET due = NULL
    WHERE f.id = ANY(wanted) AND f.tenant = NEW.tenant AND f.state = 'READY';
  GET DIAGNOSTICS held = ROW_COUNT;
  IF held < cardinality(wanted) THEN
    RAISE EXCEPTION 'a file is gone' USING ERRCODE = 'TPF01';
  END IF;
  INSERT INTO thread_files (thread, file, tenant)
    SELECT NEW.thread, each, NEW.tenant FROM unnest(wanted) AS each ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER hold_files AFTER INSERT ON turns FOR EACH ROW
  WHEN (jsonb_path_exists(NEW.input, '$[*].file')) EXECUTE FUNCTION hold_files();

-- Has the sweep look at what a thread held: it may have been the last one.
CREATE FUNCTION release_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE files f SET due = statement_timestamp()
    WHERE f.id IN (SELECT h.file FROM thread_files h WHERE h.thread = OLD.id);
  RETURN OLD;
END $$;
CREATE TRIGGER release_files BEFORE DELETE ON threads FOR EACH ROW EXECUTE FUNCTION release_files();
