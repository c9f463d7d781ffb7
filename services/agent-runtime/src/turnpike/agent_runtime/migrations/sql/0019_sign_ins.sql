-- When a turn that waits for a person is looked at by itself: where only sign-ins are wanted, soon
-- and again, since whoever signs in need not come back and say so; else not before it expires.
CREATE FUNCTION look_after(p_items jsonb) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN NOT jsonb_path_exists(
      p_items, '$[*] ? (@.subject != "need" || exists(@.questions[*] ? (@.header != "sign in")))'
    ) THEN interval '1 second' END
$$;

-- Pauses a turn until somebody decides: its slot is free, and nobody owns it. What of the step's
-- calls has ended is closed.
--
-- Outcomes: those of every commit.
CREATE OR REPLACE FUNCTION pause_turn(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_step integer, p_results jsonb,
  p_approval uuid, p_items jsonb, p_rules jsonb, p_expires timestamptz, p_first bigint,
  p_last bigint, p_events bytea, p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    status = 'WAITING', waiting_for = 'approval', owner = NULL, owner_name = '', fruitless = 0,
    due_at = least(p_expires, clock_timestamp() + look_after(p_items)), committed_seq = p_last, admission_since = NULL, admission_reason = '',
    reserved_seq = greatest(t.reserved_seq, p_reserve)
  WHERE t.id = p_turn AND t.status = 'RUNNING' AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND t.desired = '';
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  PERFORM close_calls(p_turn, p_step, p_results);
  INSERT INTO approvals (id, tenant, turn, thread, principal, agent, step, items, rules, expires)
    SELECT p_approval, p_tenant, p_turn, t.thread, t.principal, t.agent, p_step, p_items, p_rules,
           p_expires
    FROM turns t WHERE t.id = p_turn;
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  RETURN 'OK';
END $$;
