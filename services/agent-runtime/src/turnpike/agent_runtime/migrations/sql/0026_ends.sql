-- Claims what an ended segment owes for the one who ended it, in that commit's own transaction:
-- takes the commit's outcome like `owe`, and returns what there is to settle. A turn that is not
-- known to have been admitted is left to whoever looks for what is due.
CREATE FUNCTION claim_segment(p_outcome text, p_tenant uuid, p_turn uuid, p_hold interval)
RETURNS TABLE (
  id bigint, tenant uuid, turn uuid, segment integer, snapshot bytea, entries jsonb, ends boolean,
  tries integer, of_segment bigint
) LANGUAGE plpgsql AS $$
BEGIN
  IF p_outcome NOT IN ('OK', 'PROMOTED') THEN
    RETURN;
  END IF;
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY
    UPDATE usage_outbox o SET due_at = statement_timestamp() + p_hold, tries = o.tries + 1
    WHERE o.id IN (
      SELECT s.id FROM usage_outbox s JOIN turns t ON t.id = s.turn AND t.segment = s.segment
      WHERE s.turn = p_turn AND t.admitted = t.segment AND s.due_at <= statement_timestamp()
      FOR UPDATE OF s SKIP LOCKED)
    RETURNING o.id, o.tenant, o.turn, o.segment, o.snapshot, o.entries, o.ends, o.tries,
      (SELECT count(*) FROM usage_outbox s WHERE s.turn = o.turn AND s.segment = o.segment);
END $$;
