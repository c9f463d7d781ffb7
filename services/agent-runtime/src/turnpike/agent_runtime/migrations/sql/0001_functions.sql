-- The hot statements of a turn: each is one round trip and one transaction, sets
-- its tenant itself, and carries its guard inside. Lock order: thread, turn.

-- Claims (principal, request_id) and the thread, before any limit is asked.
--
-- Outcomes: CREATED (owner runs it), QUEUED, EXISTS, REUSED, BUSY, NO_THREAD, NO_AGENT.
CREATE FUNCTION claim_turn(
  p_tenant uuid, p_turn uuid, p_thread uuid, p_new_thread boolean, p_principal uuid,
  p_any_principal boolean, p_api_key text, p_request_id text, p_digest bytea, p_agent text,
  p_version uuid, p_input jsonb, p_time_zone text, p_metadata jsonb, p_traceparent text,
  p_enqueue boolean, p_queue_deadline interval, p_owner uuid, p_owner_name text, p_reserve bigint,
  OUT outcome text, OUT turn uuid, OUT thread uuid, OUT version uuid, OUT attempt integer,
  OUT "position" bigint, OUT created timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
  old turns;
  busy boolean;
  new_thread boolean := p_new_thread;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  attempt := 1;
  thread := p_thread;
  IF p_request_id <> '' THEN
    -- A hundred identical requests take turns here: one claims, the rest find its row.
    PERFORM pg_advisory_xact_lock(
      hashtextextended(p_tenant::text || p_principal::text || p_request_id, 0));
    SELECT * INTO old FROM turns t
      WHERE t.tenant = p_tenant AND t.principal = p_principal AND t.request_id = p_request_id
        AND t.request_id <> ''
      ORDER BY t.position DESC LIMIT 1;
    IF FOUND THEN
      turn := old.id; thread := old.thread;
      version := old.agent_version; created := old.created;
      IF old.payload_digest <> p_digest THEN
        outcome := 'REUSED'; RETURN;
      ELSIF old.status <> 'REFUSED' THEN
        outcome := 'EXISTS'; attempt := old.attempt; RETURN;
      END IF;
      attempt := old.attempt + 1;
      -- The thread that the refused one made is the one that this request makes.
      new_thread := p_new_thread AND NOT EXISTS (
        SELECT FROM threads t WHERE t.id = old.thread AND NOT t.deleting);
      thread := CASE WHEN new_thread THEN p_thread ELSE old.thread END;
    END IF;
  END IF;

  version := p_version;
  IF p_version IS NULL THEN
    SELECT a.active_version INTO version FROM agents a
      WHERE a.tenant = p_tenant AND a.name = p_agent;
    IF NOT FOUND THEN
      outcome := 'NO_AGENT'; RETURN;
    END IF;
  END IF;

  IF new_thread THEN
    INSERT INTO threads (id, tenant, principal) VALUES (thread, p_tenant, p_principal);
    busy := false;
  ELSE
    UPDATE threads t SET updated = statement_timestamp()
      WHERE t.id = claim_turn.thread AND NOT t.deleting
        AND (p_any_principal OR t.principal = p_principal);
    IF NOT FOUND THEN
      outcome := 'NO_THREAD'; RETURN;
    END IF;
    SELECT t.id INTO turn FROM turns t
      WHERE t.thread = claim_turn.thread AND t.status IN ('QUEUED', 'RUNNING', 'WAITING') LIMIT 1;
    busy := FOUND;
    IF busy AND NOT p_enqueue THEN
      outcome := 'BUSY'; RETURN;
    END IF;
  END IF;

  outcome := CASE WHEN busy THEN 'QUEUED' ELSE 'CREATED' END;
  turn := p_turn;
  INSERT INTO turns (
    id, tenant, thread, principal, api_key, request_id, payload_digest, attempt, status, agent,
    agent_version, input, time_zone, metadata, traceparent, owner, owner_name, fence, due_at,
    reserved_seq)
  VALUES (
    p_turn, p_tenant, thread, p_principal, p_api_key, p_request_id, p_digest, attempt,
    CASE WHEN busy THEN 'QUEUED' ELSE 'RUNNING' END, p_agent, version, p_input, p_time_zone,
    p_metadata, p_traceparent, CASE WHEN busy THEN NULL ELSE p_owner END,
    CASE WHEN busy THEN '' ELSE p_owner_name END, CASE WHEN busy THEN 0 ELSE 1 END,
    CASE WHEN busy THEN statement_timestamp() + p_queue_deadline END, p_reserve)
  RETURNING turns.position, turns.created INTO "position", created;
END $$;

-- Commits a step that asks for tools: after this its model call is never made again.
--
-- Outcomes of every commit: OK (also when the same commit was made before and
-- its reply was lost), CANCEL (nothing was committed: cancelling is desired), STALE.
CREATE FUNCTION commit_asked(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_step integer, p_reply jsonb,
  p_calls jsonb, p_usage bigint[], p_first bigint, p_last bigint, p_events bytea,
  p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    step = p_step, committed_seq = p_last, fruitless = 0,
    reserved_seq = greatest(t.reserved_seq, p_reserve),
    input_tokens = t.input_tokens + p_usage[1], output_tokens = t.output_tokens + p_usage[2],
    cached_tokens = t.cached_tokens + p_usage[3],
    cache_write_tokens = t.cache_write_tokens + p_usage[4],
    cost_micro_usd = t.cost_micro_usd + p_usage[5]
  WHERE t.id = p_turn AND t.status = 'RUNNING' AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND t.desired = '';
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  INSERT INTO steps (turn, step, tenant, reply, done)
    VALUES (p_turn, p_step, p_tenant, p_reply, false);
  INSERT INTO calls (turn, step, ordinal, tenant, call_id, provider_id, name, arguments,
                     definition_digest)
    SELECT p_turn, p_step, c.ordinal, p_tenant, c.call_id, c.provider_id, c.name, c.arguments,
           c.definition_digest
    FROM jsonb_to_recordset(p_calls) AS c(ordinal integer, call_id text, provider_id text,
      name text, arguments text, definition_digest text);
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  RETURN 'OK';
END $$;

-- Commits the results of a step's calls.
CREATE FUNCTION commit_done(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_step integer, p_results jsonb,
  p_first bigint, p_last bigint, p_events bytea, p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    committed_seq = p_last, fruitless = 0, reserved_seq = greatest(t.reserved_seq, p_reserve)
  WHERE t.id = p_turn AND t.status = 'RUNNING' AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND t.desired = '';
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  PERFORM close_calls(p_turn, p_step, p_results);
  UPDATE steps s SET done = true WHERE s.turn = p_turn AND s.step = p_step;
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  RETURN 'OK';
END $$;

-- Commits a `log.reset`, or reserves further numbers when there are no events.
CREATE FUNCTION commit_log(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_first bigint, p_last bigint,
  p_events bytea, p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    committed_seq = CASE WHEN p_events IS NULL THEN t.committed_seq ELSE p_last END,
    reserved_seq = greatest(t.reserved_seq, p_reserve)
  WHERE t.id = p_turn AND t.status IN ('QUEUED', 'RUNNING', 'WAITING')
    AND (p_events IS NULL OR t.committed_seq < p_first)
    AND t.fence = p_fence AND t.owner = p_owner; -- fence
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  IF p_events IS NOT NULL THEN
    INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
      VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  END IF;
  RETURN 'OK';
END $$;

-- Ends a turn: final message, status and terminal event together; closes what
-- was asked, and makes the thread's next turn due.
--
-- A turn that completes although cancelling was desired is not ended: CANCEL.
-- PROMOTED is OK, and the thread's next turn is due now.
CREATE FUNCTION finish_turn(
  p_tenant uuid, p_turn uuid, p_thread uuid, p_fence bigint, p_owner uuid, p_status text,
  p_step integer, p_reply jsonb, p_results jsonb, p_answer text, p_usage bigint[],
  p_reason text, p_message text, p_first bigint, p_last bigint, p_events bytea
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  PERFORM 1 FROM threads t WHERE t.id = p_thread FOR NO KEY UPDATE;
  UPDATE turns t SET
    status = p_status, waiting_for = '', committed_seq = p_last, owner = NULL, due_at = NULL,
    step = greatest(t.step, p_step), answer = coalesce(p_answer, t.answer),
    error_reason = p_reason, error_message = p_message,
    input_tokens = t.input_tokens + p_usage[1], output_tokens = t.output_tokens + p_usage[2],
    cached_tokens = t.cached_tokens + p_usage[3],
    cache_write_tokens = t.cache_write_tokens + p_usage[4],
    cost_micro_usd = t.cost_micro_usd + p_usage[5], finished = statement_timestamp()
  WHERE t.id = p_turn AND t.status IN ('QUEUED', 'RUNNING', 'WAITING')
    AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND (t.desired = '' OR p_status <> 'COMPLETED');
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  IF p_results IS NOT NULL THEN
    PERFORM close_calls(p_turn, p_step, p_results);
  END IF;
  UPDATE calls c SET outcome = 'CANCELLED' WHERE c.turn = p_turn AND c.outcome = '';
  IF p_reply IS NOT NULL THEN
    INSERT INTO steps (turn, step, tenant, reply, done)
      VALUES (p_turn, p_step, p_tenant, p_reply, true)
      ON CONFLICT ON CONSTRAINT steps_pkey DO NOTHING;
  END IF;
  UPDATE steps s SET done = true WHERE s.turn = p_turn AND NOT s.done;
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  -- Who waited, and ended so, leaves the turn before it in its place.
  UPDATE turns t SET status = 'RUNNING', due_at = statement_timestamp()
    WHERE t.id = (SELECT n.id FROM turns n WHERE n.thread = p_thread AND n.status = 'QUEUED'
                  ORDER BY n.position LIMIT 1)
    AND NOT EXISTS (SELECT FROM turns b WHERE b.thread = p_thread
                    AND b.status IN ('RUNNING', 'WAITING'));
  RETURN CASE WHEN FOUND THEN 'PROMOTED' ELSE 'OK' END;
END $$;

-- Says why a commit found no row. A commit whose reply was lost finds its own.
CREATE FUNCTION commit_refused(p_turn uuid, p_fence bigint, p_last bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  now_turn turns;
BEGIN
  SELECT * INTO now_turn FROM turns t WHERE t.id = p_turn;
  IF NOT FOUND OR now_turn.fence <> p_fence THEN
    RETURN 'STALE';
  ELSIF now_turn.committed_seq = p_last THEN
    RETURN 'OK';
  ELSIF now_turn.desired <> '' AND now_turn.status = 'RUNNING' AND now_turn.owner IS NOT NULL THEN
    RETURN 'CANCEL';
  END IF;
  RETURN 'STALE';
END $$;

CREATE FUNCTION close_calls(p_turn uuid, p_step integer, p_results jsonb)
RETURNS void LANGUAGE sql AS $$
  UPDATE calls c SET outcome = r.outcome, result = r.result, structured = r.structured
  FROM jsonb_to_recordset(p_results) AS r(ordinal integer, outcome text, result text,
    structured text)
  WHERE c.turn = p_turn AND c.step = p_step AND c.ordinal = r.ordinal AND c.outcome = '';
$$;

-- Asks for a turn's cancellation. Outcomes: NONE, ENDED, ASKED (its owner will),
-- DUE (nobody owns it: whoever claims it ends it).
CREATE FUNCTION cancel_turn(
  p_tenant uuid, p_turn uuid, p_principal uuid, p_any_principal boolean,
  OUT outcome text, OUT owner uuid
) LANGUAGE plpgsql AS $$
DECLARE
  now_turn turns;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE turns t SET
    desired = 'cancel',
    due_at = CASE WHEN t.owner IS NULL THEN statement_timestamp() ELSE t.due_at END
  WHERE t.id = p_turn AND t.status IN ('QUEUED', 'RUNNING', 'WAITING')
    AND (p_any_principal OR t.principal = p_principal)
  RETURNING t.* INTO now_turn;
  IF FOUND THEN
    owner := now_turn.owner;
    outcome := CASE WHEN owner IS NULL THEN 'DUE' ELSE 'ASKED' END;
    RETURN;
  END IF;
  PERFORM 1 FROM turns t
    WHERE t.id = p_turn AND (p_any_principal OR t.principal = p_principal);
  outcome := CASE WHEN FOUND THEN 'ENDED' ELSE 'NONE' END;
END $$;

-- Returns committed batches with events above a number, oldest first.
CREATE FUNCTION read_batches(p_tenant uuid, p_turn uuid, p_after bigint, p_limit integer)
RETURNS SETOF bytea LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT b.events FROM batches b
    WHERE b.turn = p_turn AND b.last_seq > p_after ORDER BY b.first_seq LIMIT p_limit;
END $$;

-- Returns how to reach a model.
CREATE FUNCTION read_model(p_tenant uuid, p_name text)
RETURNS TABLE (provider text, model text, base_url text, sealed_api_key text, prices jsonb)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT m.provider, m.model, m.base_url, m.sealed_api_key, m.prices
    FROM models m WHERE m.tenant = p_tenant AND m.name = p_name;
END $$;
