-- The hot statements: each is one round trip and one transaction, sets its tenant
-- itself, and carries its guard inside. Lock order: turn_fences, calls.

CREATE FUNCTION seconds_left(calls) RETURNS double precision LANGUAGE sql STABLE AS $$
  SELECT extract(epoch FROM $1.deadline - statement_timestamp())::double precision
$$;

-- Raises a turn's fence, unless a higher one is known. Gives the highest.
CREATE FUNCTION raise_fence(p_tenant uuid, p_turn uuid, p_fence bigint, OUT accepted boolean,
  OUT known bigint) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  -- Takes the row's lock, so that of two claims that come at the same moment the
  -- older one is judged by what the newer one wrote.
  INSERT INTO turn_fences AS f (tenant, turn, fence) VALUES (p_tenant, p_turn, p_fence)
    ON CONFLICT (tenant, turn) DO UPDATE SET fence = greatest(f.fence, excluded.fence)
    WHERE f.fence <= excluded.fence -- fence
    RETURNING f.fence INTO known;
  accepted := FOUND;
  IF NOT accepted THEN
    SELECT f.fence INTO known FROM turn_fences f WHERE f.tenant = p_tenant AND f.turn = p_turn;
  END IF;
END $$;

-- Writes a call, or finds it written.
--
-- Outcomes: CREATED and TAKEN (the caller's process is to run it), OWN (it runs it
-- already, or was to), JOINED (another does, or it is over), MISMATCH (the effect's id
-- stands for another call), STALE.
--
-- With `p_etag`, the caller is ready to send at once: the row is DISPATCHED from
-- the start if connector and definition are still those that it has prepared.
CREATE FUNCTION begin_call(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_step integer, p_ordinal integer, p_digest text,
  p_tool text, p_definition_digest text, p_arguments text, p_principal text, p_traceparent text,
  p_timeout interval, p_executor uuid, p_etag text, p_repeatable boolean,
  OUT outcome text, OUT known bigint, OUT call calls
) LANGUAGE plpgsql AS $$
DECLARE
  accepted boolean;
  ready boolean;
BEGIN
  SELECT r.accepted, r.known INTO accepted, known FROM raise_fence(p_tenant, p_turn, p_fence) r;
  IF NOT accepted THEN
    outcome := 'STALE'; RETURN;
  END IF;
  ready := p_etag <> '' AND EXISTS (
    SELECT FROM connectors c JOIN tools t ON t.tenant = c.tenant AND t.connector = c.name
    WHERE c.tenant = p_tenant AND c.name = split_part(p_tool, '/', 1) AND c.etag = p_etag
      AND t.name = substr(p_tool, strpos(p_tool, '/') + 1) AND t.generation = c.generation
      AND t.digest = p_definition_digest AND t.state = 'OK');
  INSERT INTO calls (
    tenant, effect, turn, step, ordinal, fence, digest, tool, definition_digest, arguments,
    principal, traceparent, executor, repeatable, status, deadline, dispatched)
  VALUES (
    p_tenant, p_turn || ':' || p_step || ':' || p_ordinal, p_turn, p_step, p_ordinal, p_fence,
    p_digest, p_tool, p_definition_digest, p_arguments, p_principal, p_traceparent, p_executor,
    ready AND p_repeatable, CASE WHEN ready THEN 'DISPATCHED' ELSE 'PENDING' END,
    statement_timestamp() + p_timeout, CASE WHEN ready THEN statement_timestamp() END)
  ON CONFLICT (tenant, effect) DO NOTHING
  RETURNING calls.* INTO call;
  IF FOUND THEN
    outcome := 'CREATED'; RETURN;
  END IF;
  -- Nobody runs it: of all who find it so, the row's lock lets one take it.
  UPDATE calls c SET executor = p_executor
    WHERE c.tenant = p_tenant AND c.effect = p_turn || ':' || p_step || ':' || p_ordinal
      AND c.status = 'PENDING' AND c.executor IS NULL AND c.digest = p_digest
    RETURNING c.* INTO call;
  IF FOUND THEN
    outcome := 'TAKEN'; RETURN;
  END IF;
  SELECT c.* INTO call FROM calls c
    WHERE c.tenant = p_tenant AND c.effect = p_turn || ':' || p_step || ':' || p_ordinal;
  outcome := CASE
    WHEN call.digest <> p_digest THEN 'MISMATCH'
    WHEN call.status IN ('PENDING', 'DISPATCHED') AND call.executor = p_executor THEN 'OWN'
    ELSE 'JOINED' END;
END $$;

-- Marks a call as dispatched; true only for its executor and its attempt, and also
-- when the same was committed before and the reply was lost.
CREATE FUNCTION dispatch_call(
  p_tenant uuid, p_effect text, p_executor uuid, p_attempt integer, p_repeatable boolean
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE calls c SET status = 'DISPATCHED', repeatable = p_repeatable,
    dispatched = coalesce(c.dispatched, statement_timestamp())
  WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status IN ('PENDING', 'DISPATCHED')
    AND c.executor = p_executor AND c.attempt = p_attempt -- owner
  ;
  RETURN FOUND;
END $$;

-- Completes a call; a result that comes when the call is no longer this executor's
-- is ignored. Gives the row as it then stands.
CREATE FUNCTION finish_call(
  p_tenant uuid, p_effect text, p_executor uuid, p_attempt integer, p_status text, p_result text,
  p_structured text, p_reason text
) RETURNS SETOF calls LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY UPDATE calls c SET status = p_status, result = p_result,
    structured = p_structured, reason = p_reason, finished = statement_timestamp()
  WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status IN ('PENDING', 'DISPATCHED')
    AND c.executor = p_executor AND c.attempt = p_attempt -- owner
  RETURNING c.*;
  IF NOT FOUND THEN
    RETURN QUERY SELECT c.* FROM calls c WHERE c.tenant = p_tenant AND c.effect = p_effect;
  END IF;
END $$;

-- Cancels a call that is not over: its executor's result will be ignored.
CREATE FUNCTION cancel_call(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_effect text,
  OUT accepted boolean, OUT known bigint, OUT call calls
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT r.accepted, r.known INTO accepted, known FROM raise_fence(p_tenant, p_turn, p_fence) r;
  IF NOT accepted THEN
    RETURN;
  END IF;
  UPDATE calls c SET status = 'CANCELLED', reason = 'CANCELLED', finished = statement_timestamp()
    WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status IN ('PENDING', 'DISPATCHED')
    RETURNING c.* INTO call;
  IF NOT FOUND THEN
    SELECT c.* INTO call FROM calls c WHERE c.tenant = p_tenant AND c.effect = p_effect;
  END IF;
END $$;

CREATE FUNCTION read_call(p_tenant uuid, p_effect text) RETURNS SETOF calls
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT c.* FROM calls c WHERE c.tenant = p_tenant AND c.effect = p_effect;
END $$;

-- What a tenant's connectors are like, for a listing that may serve from memory.
CREATE FUNCTION list_connector_states(p_tenant uuid) RETURNS TABLE (
  name text, generation bigint, revision bigint, state text, discovered boolean, failures integer,
  stale boolean
) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT c.name, c.generation, c.revision, c.state, c.discovered, c.failures,
    c.refresh_at <= statement_timestamp() FROM connectors c WHERE c.tenant = p_tenant
    ORDER BY c.name;
END $$;

-- Settles the open calls whose executor is not alive (any more). Runs in the
-- transaction that declares one dead, and in the sweep, which finds what a process
-- wrote that did not know yet that it was dead.
-- A call that may have had its effect is run again only if it may be repeated;
-- what never left, and what may be repeated, waits for whoever takes it.
CREATE FUNCTION settle_orphans() RETURNS TABLE (status text, number bigint)
LANGUAGE sql AS $$
  WITH settled AS (
    UPDATE calls c SET
      status = CASE WHEN lost THEN 'UNKNOWN' ELSE 'PENDING' END,
      reason = CASE WHEN lost THEN 'OUTCOME_UNKNOWN' ELSE '' END,
      finished = CASE WHEN lost THEN statement_timestamp() END,
      executor = CASE WHEN lost THEN c.executor END,
      attempt = c.attempt + 1
    FROM (
      SELECT o.tenant, o.effect, o.status = 'DISPATCHED' AND NOT o.repeatable AS lost
      FROM calls o
      WHERE o.status IN ('PENDING', 'DISPATCHED') AND o.executor IS NOT NULL
        AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = o.executor AND NOT r.dead)
      ORDER BY o.tenant, o.effect FOR UPDATE) orphan
    WHERE c.tenant = orphan.tenant AND c.effect = orphan.effect
    RETURNING c.status)
  SELECT s.status, count(*) FROM settled s GROUP BY s.status
$$;
