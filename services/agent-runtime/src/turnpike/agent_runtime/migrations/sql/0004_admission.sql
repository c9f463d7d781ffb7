-- Where a turn stands with gatekeeper, and what is still to be settled there.

ALTER TABLE turns
  -- Who pays, under which plan and prices: gatekeeper's, signed. Never shown.
  ADD COLUMN snapshot bytea,
  -- The segment that runs or is to be admitted, and the last that is known to have been.
  ADD COLUMN segment integer NOT NULL DEFAULT 1,
  ADD COLUMN admitted integer NOT NULL DEFAULT 0,
  -- What each model that was asked is charged at.
  ADD COLUMN rates jsonb NOT NULL DEFAULT '{}',
  -- Tries at the model call of a step that were voided, and are accounted for.
  ADD COLUMN paid_step integer NOT NULL DEFAULT 0,
  ADD COLUMN paid_attempts integer NOT NULL DEFAULT 0;

-- What turns used and gatekeeper's ledger may not have yet. A row is written by the
-- transaction that commits what was used, and deleted once it is settled. It outlives
-- its turn: a thread that is deleted was used all the same.
CREATE TABLE usage_outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant uuid NOT NULL,
  turn uuid NOT NULL,
  segment integer NOT NULL,
  -- Absent where the segment ends and nobody knows whether it was admitted.
  snapshot bytea,
  -- step, call, attempt, kind, model, the tokens, estimated.
  entries jsonb NOT NULL,
  -- The segment's last row: after it, what is left of its hold is given back.
  ends boolean NOT NULL,
  due_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  tries integer NOT NULL DEFAULT 0
);
CREATE INDEX usage_outbox_due ON usage_outbox (due_at);
CREATE INDEX usage_outbox_segment ON usage_outbox (turn, segment);

-- Keeps what gatekeeper admitted, for whoever claims the turn next. A segment that was
-- admitted is not admitted again.
CREATE FUNCTION commit_admitted(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_segment integer,
  p_snapshot bytea, p_rates jsonb
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    snapshot = p_snapshot, segment = p_segment, admitted = p_segment, rates = t.rates || p_rates
  WHERE t.id = p_turn AND t.status IN ('QUEUED', 'RUNNING', 'WAITING')
    AND t.fence = p_fence AND t.owner = p_owner; -- fence
  RETURN CASE WHEN FOUND THEN 'OK' ELSE 'STALE' END;
END $$;

-- Commits a `log.reset` of a try that was paid for, with what it used.
CREATE FUNCTION commit_void(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_step integer, p_attempt integer,
  p_usage bigint[], p_entries jsonb, p_first bigint, p_last bigint, p_events bytea,
  p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    committed_seq = p_last, reserved_seq = greatest(t.reserved_seq, p_reserve),
    paid_step = p_step, paid_attempts = p_attempt,
    input_tokens = t.input_tokens + p_usage[1], output_tokens = t.output_tokens + p_usage[2],
    cached_tokens = t.cached_tokens + p_usage[3],
    cache_write_tokens = t.cache_write_tokens + p_usage[4],
    cost_micro_usd = t.cost_micro_usd + p_usage[5]
  WHERE t.id = p_turn AND t.status IN ('QUEUED', 'RUNNING', 'WAITING')
    AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner; -- fence
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  RETURN owe('OK', p_tenant, p_turn, p_entries, false);
END $$;

-- Owes gatekeeper what a commit used, in that commit's own transaction: it takes the
-- commit's outcome and returns it. What was committed before is owed again when its
-- reply was lost; the ledger knows each entry by its ids.
--
-- A turn that is not known to have been admitted owes no usage, but its end: its owner may
-- have died between gatekeeper's answer and its own. `p_ends`: the segment has ended.
CREATE FUNCTION owe(
  p_outcome text, p_tenant uuid, p_turn uuid, p_entries jsonb, p_ends boolean
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF p_outcome IN ('OK', 'PROMOTED') AND (p_ends OR p_entries <> '[]') THEN
    PERFORM set_config('turnpike.tenant', p_tenant::text, true);
    INSERT INTO usage_outbox (tenant, turn, segment, snapshot, entries, ends)
      SELECT p_tenant, p_turn, t.segment, t.snapshot,
             CASE WHEN t.snapshot IS NULL THEN '[]' ELSE p_entries END, p_ends
      FROM turns t WHERE t.id = p_turn AND (p_ends OR t.snapshot IS NOT NULL);
  END IF;
  RETURN p_outcome;
END $$;

-- Ends a segment with the pause that a commit made, in that commit's own transaction: it
-- takes its outcome and returns it, like `owe`. The next segment is to be admitted by
-- whoever goes on with the turn.
CREATE FUNCTION end_segment(p_outcome text, p_tenant uuid, p_turn uuid, p_entries jsonb)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM owe(p_outcome, p_tenant, p_turn, p_entries, true);
  IF p_outcome IN ('OK', 'PROMOTED') THEN
    UPDATE turns t SET segment = t.segment + 1
      WHERE t.id = p_turn AND t.admitted = t.segment;
  END IF;
  RETURN p_outcome;
END $$;
