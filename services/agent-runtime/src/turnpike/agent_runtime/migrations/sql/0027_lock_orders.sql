-- Whoever locks several files, or several turns, does it in one order: by the files' ids, and by
-- the turns' positions.

-- As before, in the order of `hold_files`.
CREATE OR REPLACE FUNCTION release_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM files f WHERE f.id IN (SELECT h.file FROM thread_files h WHERE h.thread = OLD.id)
    ORDER BY f.id FOR NO KEY UPDATE;
  UPDATE files f SET due = statement_timestamp()
    WHERE f.id IN (SELECT h.file FROM thread_files h WHERE h.thread = OLD.id);
  RETURN OLD;
END $$;

-- As before, in the order in which a thread's turns come, like every sweep.
CREATE OR REPLACE FUNCTION end_outage(p_credential text, p_ramp interval)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  freed bigint;
BEGIN
  DELETE FROM provider_outages WHERE credential = p_credential;
  UPDATE turns t SET due_at = statement_timestamp() + w.place * p_ramp
    FROM (SELECT id, row_number() OVER (ORDER BY position) - 1 AS place FROM (
            SELECT id, position FROM turns
            WHERE waits_on = p_credential AND status = 'WAITING' AND waiting_for = 'provider'
              AND owner IS NULL
            ORDER BY position FOR NO KEY UPDATE) AS locked) AS w
    WHERE t.id = w.id AND t.owner IS NULL AND t.status = 'WAITING';
  GET DIAGNOSTICS freed = ROW_COUNT;
  RETURN freed;
END $$;
