-- What turns wait for from people, and what people decided.

CREATE TABLE approvals (
  id uuid PRIMARY KEY,
  position bigint GENERATED ALWAYS AS IDENTITY,
  tenant uuid NOT NULL,
  turn uuid NOT NULL REFERENCES turns ON DELETE CASCADE,
  thread uuid NOT NULL,
  principal uuid NOT NULL,
  agent text NOT NULL,
  step integer NOT NULL,
  status text NOT NULL DEFAULT 'PENDING'
    CHECK (status IN ('PENDING', 'DECIDED', 'EXPIRED', 'CANCELLED')),
  -- What is to be decided, as it was asked; never changed.
  items jsonb NOT NULL,
  -- Who decides it, and what becomes of it in the end.
  rules jsonb NOT NULL,
  escalated boolean NOT NULL DEFAULT false,
  expires timestamptz NOT NULL,
  decided_by uuid,
  decided timestamptz,
  created timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE UNIQUE INDEX approvals_pending ON approvals (turn) WHERE status = 'PENDING';
CREATE INDEX approvals_of_turn ON approvals (turn, step);
CREATE INDEX approvals_newest ON approvals (tenant, position DESC);
CREATE INDEX approvals_inbox ON approvals (tenant, position DESC) WHERE status = 'PENDING';

-- One person's word on one call; nobody's, when it expired.
CREATE TABLE decisions (
  approval uuid NOT NULL REFERENCES approvals ON DELETE CASCADE,
  call_id text NOT NULL,
  principal uuid NOT NULL,
  tenant uuid NOT NULL,
  kind text NOT NULL,
  arguments text NOT NULL DEFAULT '',
  text text NOT NULL DEFAULT '',
  feedback text NOT NULL DEFAULT '',
  scope text NOT NULL DEFAULT '',
  expires timestamptz,
  -- The request that brought it: the same one again is answered as the first time.
  request_id text NOT NULL DEFAULT '',
  payload_digest bytea,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (approval, call_id, principal)
);

ALTER TABLE turns
  -- Since when a turn that was paused waits to be admitted again, and why it last had to.
  ADD COLUMN admission_since timestamptz,
  ADD COLUMN admission_reason text NOT NULL DEFAULT '';

-- Whatever ends a turn that waits for a person ends its approval.
CREATE FUNCTION close_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE approvals a SET decided = clock_timestamp(),
      status = CASE WHEN NEW.status = 'EXPIRED' THEN 'EXPIRED' ELSE 'CANCELLED' END
    WHERE a.turn = NEW.id AND a.status = 'PENDING';
  RETURN NULL;
END $$;
CREATE TRIGGER turns_close_approval AFTER UPDATE OF status ON turns
  FOR EACH ROW WHEN (OLD.waiting_for = 'approval' AND NEW.finished IS NOT NULL)
  EXECUTE FUNCTION close_approval();

-- Pauses a turn until somebody decides: its slot is free, and nobody owns it. What of the step's
-- calls has ended is closed.
--
-- Outcomes: those of every commit.
CREATE FUNCTION pause_turn(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_step integer, p_results jsonb,
  p_approval uuid, p_items jsonb, p_rules jsonb, p_expires timestamptz, p_first bigint,
  p_last bigint, p_events bytea, p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    status = 'WAITING', waiting_for = 'approval', owner = NULL, owner_name = '', fruitless = 0,
    due_at = p_expires, committed_seq = p_last, admission_since = NULL, admission_reason = '',
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

-- Leaves a turn that was paused to wait for admission: it is tried again after a delay. The same
-- reason again is no event.
--
-- Outcomes: those of every commit, and EXPIRED: it has waited for longer than it may.
CREATE FUNCTION wait_for_admission(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_reason text, p_delay interval,
  p_patience interval, p_first bigint, p_last bigint, p_events bytea, p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  PERFORM FROM turns t WHERE t.id = p_turn AND t.fence = p_fence
    AND t.admission_since + p_patience < clock_timestamp() + p_delay;
  IF FOUND THEN
    RETURN 'EXPIRED';
  END IF;
  UPDATE turns t SET
    status = 'WAITING', waiting_for = 'admission', owner = NULL, owner_name = '', fruitless = 0,
    due_at = clock_timestamp() + p_delay, admission_reason = p_reason,
    committed_seq = CASE WHEN p_events IS NULL THEN t.committed_seq ELSE p_last END,
    reserved_seq = greatest(t.reserved_seq, p_reserve)
  WHERE t.id = p_turn AND t.status = 'RUNNING'
    AND (p_events IS NULL OR t.committed_seq < p_first)
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND t.desired = '';
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  IF p_events IS NOT NULL THEN
    INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
      VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  END IF;
  RETURN 'OK';
END $$;
