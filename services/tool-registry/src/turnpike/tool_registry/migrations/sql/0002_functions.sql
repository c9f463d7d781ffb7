-- What a tenant's connectors are like, for a listing that may serve from memory. A
-- person sees the tenant's connectors and the own ones; without a principal, all.
CREATE FUNCTION list_catalogue(p_tenant uuid, p_principal text) RETURNS TABLE (
  name text, revision bigint, state text, discovered boolean, stale boolean, used boolean
) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT c.name, c.revision, c.state, c.discovered,
    c.refresh_at <= statement_timestamp()
      AND coalesce(c.claimed_until <= statement_timestamp(), true),
    c.used > statement_timestamp() - interval '1 minute'
    FROM connectors c WHERE c.tenant = p_tenant AND c.enabled
      AND (p_principal = '' OR c.owner IN ('', p_principal))
    ORDER BY c.name;
END $$;

-- Writes a call, or finds it written. What `begin_call` did, and it knows whose
-- session and credential it uses; see there for the outcomes.
--
-- With `p_etag`, the caller is ready to send at once: the row is DISPATCHED from
-- the start if connector, credential and definition are still those that it has
-- prepared, and nobody has switched them off.
CREATE FUNCTION begin_call(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_step integer, p_ordinal integer, p_digest text,
  p_tool text, p_definition_digest text, p_arguments text, p_principal text, p_traceparent text,
  p_timeout interval, p_executor uuid, p_etag text, p_repeatable boolean, p_conversation text,
  p_credential text,
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
    LEFT JOIN tool_settings s
      ON s.tenant = c.tenant AND s.connector = c.name AND s.name = t.name
    LEFT JOIN credentials k
      ON k.tenant = c.tenant AND k.connector = c.name AND k.principal = p_principal
    WHERE c.tenant = p_tenant AND c.name = split_part(p_tool, '/', 1) AND c.etag = p_etag
      AND t.name = substr(p_tool, strpos(p_tool, '/') + 1) AND t.generation = c.generation
      AND t.digest = p_definition_digest AND t.state = 'OK'
      AND c.enabled AND s.enabled IS DISTINCT FROM false AND c.owner IN ('', p_principal)
      AND coalesce(k.version, '') = p_credential AND (p_credential <> '' OR NOT c.personal));
  INSERT INTO calls (
    tenant, effect, turn, step, ordinal, fence, digest, tool, definition_digest, arguments,
    principal, traceparent, executor, repeatable, status, deadline, dispatched, conversation)
  VALUES (
    p_tenant, p_turn || ':' || p_step || ':' || p_ordinal, p_turn, p_step, p_ordinal, p_fence,
    p_digest, p_tool, p_definition_digest, p_arguments, p_principal, p_traceparent, p_executor,
    ready AND p_repeatable, CASE WHEN ready THEN 'DISPATCHED' ELSE 'PENDING' END,
    statement_timestamp() + p_timeout, CASE WHEN ready THEN statement_timestamp() END,
    p_conversation)
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

-- Writes down what the server calls a task; true only for the call's executor and attempt.
CREATE FUNCTION note_task(
  p_tenant uuid, p_effect text, p_executor uuid, p_attempt integer, p_task text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE calls c SET task = p_task
  WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status IN ('PENDING', 'DISPATCHED')
    AND c.executor = p_executor AND c.attempt = p_attempt -- owner
  ;
  RETURN FOUND;
END $$;

-- Takes what a person says of a call whose outcome is unknown: it was done, it was not,
-- or it shall run again. A compare-and-set to the next generation: of all who say
-- something, one does; who says the same again is told the same.
CREATE FUNCTION resolve_call(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_effect text, p_generation integer,
  p_resolution text, p_result text, p_by text, p_executor uuid, p_timeout interval,
  OUT accepted boolean, OUT known bigint, OUT resolved boolean, OUT call calls
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT r.accepted, r.known INTO accepted, known FROM raise_fence(p_tenant, p_turn, p_fence) r;
  IF NOT accepted THEN
    RETURN;
  END IF;
  UPDATE calls c SET
    status = CASE p_resolution WHEN 'DONE' THEN 'SUCCEEDED' WHEN 'NOT_DONE' THEN 'FAILED'
      ELSE 'PENDING' END,
    reason = CASE p_resolution WHEN 'RUN_AGAIN' THEN '' ELSE 'RESOLVED_' || p_resolution END,
    result = p_result, structured = '', resolution = p_resolution, resolved_by = p_by,
    generation = c.generation + 1, attempt = c.attempt + 1, task = '',
    executor = CASE p_resolution WHEN 'RUN_AGAIN' THEN p_executor ELSE c.executor END,
    dispatched = CASE p_resolution WHEN 'RUN_AGAIN' THEN NULL ELSE c.dispatched END,
    finished = CASE p_resolution WHEN 'RUN_AGAIN' THEN NULL ELSE statement_timestamp() END,
    deadline = CASE p_resolution WHEN 'RUN_AGAIN' THEN statement_timestamp() + p_timeout
      ELSE c.deadline END
  WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status = 'UNKNOWN'
    AND c.generation = p_generation
  RETURNING c.* INTO call;
  resolved := FOUND;
  IF NOT FOUND THEN
    SELECT c.* INTO call FROM calls c WHERE c.tenant = p_tenant AND c.effect = p_effect;
    resolved := FOUND AND call.generation = p_generation + 1 AND call.resolution = p_resolution
      AND call.resolved_by = p_by;
  END IF;
END $$;

-- What `settle_orphans` was, and a call that is a task at its server is not lost: whoever
-- takes it asks after the task.
CREATE OR REPLACE FUNCTION settle_orphans() RETURNS TABLE (status text, number bigint)
LANGUAGE sql AS $$
  WITH settled AS (
    UPDATE calls c SET
      status = CASE WHEN lost THEN 'UNKNOWN' ELSE 'PENDING' END,
      reason = CASE WHEN lost THEN 'OUTCOME_UNKNOWN' ELSE '' END,
      finished = CASE WHEN lost THEN statement_timestamp() END,
      executor = CASE WHEN lost THEN c.executor END,
      attempt = c.attempt + 1
    FROM (
      SELECT o.tenant, o.effect,
        o.status = 'DISPATCHED' AND NOT o.repeatable AND o.task = '' AS lost
      FROM calls o
      WHERE o.status IN ('PENDING', 'DISPATCHED') AND o.executor IS NOT NULL
        AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = o.executor AND NOT r.dead)
      ORDER BY o.tenant, o.effect FOR UPDATE) orphan
    WHERE c.tenant = orphan.tenant AND c.effect = orphan.effect
    RETURNING c.status)
  SELECT s.status, count(*) FROM settled s GROUP BY s.status
$$;
