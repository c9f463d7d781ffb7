-- What persons gave that their calls' servers asked for: a JSON object, sent with the call.
ALTER TABLE calls ADD COLUMN answers text NOT NULL DEFAULT '';

-- Has a call go on that failed for want of something from a person. A compare-and-set to
-- the next generation: of all who answer, one does.
CREATE FUNCTION answer_call(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_effect text, p_generation integer,
  p_answers text, p_by text, p_executor uuid, p_timeout interval,
  OUT accepted boolean, OUT known bigint, OUT answered boolean, OUT call calls
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT r.accepted, r.known INTO accepted, known FROM raise_fence(p_tenant, p_turn, p_fence) r;
  IF NOT accepted THEN
    RETURN;
  END IF;
  -- A task stays what it is: its server is told the answers, not called anew.
  UPDATE calls c SET status = 'PENDING', reason = '', result = '', structured = '',
    answers = p_answers, resolution = 'ANSWERED', resolved_by = p_by,
    generation = c.generation + 1, attempt = c.attempt + 1, executor = p_executor,
    dispatched = NULL, finished = NULL, deadline = statement_timestamp() + p_timeout
  WHERE c.tenant = p_tenant AND c.effect = p_effect AND c.status = 'FAILED'
    AND c.reason IN ('INPUT_REQUIRED', 'AUTH_REQUIRED', 'CREDENTIAL_MISSING')
    AND c.generation = p_generation
  RETURNING c.* INTO call;
  answered := FOUND;
  IF NOT FOUND THEN
    SELECT c.* INTO call FROM calls c WHERE c.tenant = p_tenant AND c.effect = p_effect;
  END IF;
END $$;
