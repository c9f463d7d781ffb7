-- What a client calls its conversation; it names one thread of its principal's.
ALTER TABLE threads ADD COLUMN session text;
CREATE UNIQUE INDEX threads_of_sessions ON threads (tenant, principal, session)
  WHERE session IS NOT NULL AND NOT deleting;

-- Owes gatekeeper what a proxied call used, and its end: once when it begins, for a later
-- time by which its replica must have died, and once when it ends, for now.
CREATE FUNCTION owe_call(
  p_tenant uuid, p_call uuid, p_snapshot bytea, p_entries jsonb, p_delay interval
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE usage_outbox SET entries = p_entries, due_at = statement_timestamp() + p_delay
    WHERE turn = p_call AND segment = 1;
  IF NOT FOUND THEN
    INSERT INTO usage_outbox (tenant, turn, segment, snapshot, entries, ends, due_at)
      VALUES (p_tenant, p_call, 1, p_snapshot, p_entries, true, statement_timestamp() + p_delay);
  END IF;
END $$;
