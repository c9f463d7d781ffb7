-- The prefix ledger: what was sent to a model, byte for byte.

-- Where a session stands. A thread's session is its id; a client's is a hash of
-- the tenant, the principal, the model and the client's own id.
CREATE TABLE prefix_sessions (
  tenant uuid NOT NULL,
  session text NOT NULL,
  thread uuid REFERENCES threads ON DELETE CASCADE,
  epoch integer NOT NULL DEFAULT 0,
  -- Rises by 1 with each commit: whoever comes second is told.
  revision bigint NOT NULL DEFAULT 0,
  model text NOT NULL DEFAULT '',
  route text NOT NULL DEFAULT '',
  template text NOT NULL DEFAULT '',
  count integer NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  chain bytea NOT NULL DEFAULT '',
  -- The last request, as its cache is predicted from.
  sent_elements integer NOT NULL DEFAULT 0,
  sent_bytes bigint NOT NULL DEFAULT 0,
  sent_tokens bigint NOT NULL DEFAULT 0,
  -- Totals of the requests for which the provider said something.
  prompt_tokens bigint NOT NULL DEFAULT 0,
  predicted_tokens bigint NOT NULL DEFAULT 0,
  reported_tokens bigint NOT NULL DEFAULT 0,
  last_predicted bigint NOT NULL DEFAULT 0,
  last_reported bigint,
  first_delta_ms integer,
  last_miss text NOT NULL DEFAULT '',
  difference jsonb,
  last_outcome text NOT NULL DEFAULT '',
  interrupted boolean NOT NULL DEFAULT false,
  evicted boolean NOT NULL DEFAULT false,
  summary text NOT NULL DEFAULT '',
  summarised bigint NOT NULL DEFAULT 0,
  -- The last 32 commits.
  boundaries jsonb NOT NULL DEFAULT '[]',
  -- Of a client's session: the request whose reply is not committed yet.
  pending text NOT NULL DEFAULT '',
  pending_messages integer NOT NULL DEFAULT 0,
  pending_since timestamptz,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  touched timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, session)
);
CREATE INDEX prefix_sessions_recent ON prefix_sessions (tenant, touched DESC, session);
CREATE INDEX prefix_sessions_thread ON prefix_sessions (thread) WHERE thread IS NOT NULL;

-- What a commit added: the tools are element 0, messages follow. A new epoch
-- replaces all rows.
CREATE TABLE prefix_elements (
  tenant uuid NOT NULL,
  session text NOT NULL,
  first integer NOT NULL,
  elements bytea[] NOT NULL,
  PRIMARY KEY (tenant, session, first),
  FOREIGN KEY (tenant, session) REFERENCES prefix_sessions ON DELETE CASCADE
);

-- Returns a session as it stands; no row when there is none.
CREATE FUNCTION read_prefix(p_tenant uuid, p_session text)
RETURNS TABLE (
  epoch integer, revision bigint, model text, route text, template text, count integer,
  chain bytea, sent_elements integer, sent_bytes bigint, sent_tokens bigint, idle interval,
  interrupted boolean, summary text, summarised bigint, pending_messages integer,
  elements bytea[]
) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT s.epoch, s.revision, s.model, s.route, s.template, s.count, s.chain,
    s.sent_elements, s.sent_bytes, s.sent_tokens, statement_timestamp() - s.touched,
    s.interrupted, s.summary, s.summarised,
    -- Nobody waits for a request whose process has died long ago.
    CASE WHEN s.pending_since > statement_timestamp() - interval '15 minutes'
         THEN s.pending_messages ELSE 0 END,
    (SELECT array_agg(e.element ORDER BY e.first, e.place)
       FROM (SELECT p.first, u.element, u.place FROM prefix_elements p,
               unnest(p.elements) WITH ORDINALITY AS u(element, place)
             WHERE p.tenant = p_tenant AND p.session = p_session) e)
    FROM prefix_sessions s WHERE s.tenant = p_tenant AND s.session = p_session;
END $$;

-- Says that a client's request is under way, whose reply is to be committed.
CREATE FUNCTION begin_prefix(
  p_tenant uuid, p_session text, p_request text, p_messages integer
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO prefix_sessions AS s (tenant, session, pending, pending_messages, pending_since)
    VALUES (p_tenant, p_session, p_request, p_messages, statement_timestamp())
    ON CONFLICT (tenant, session) DO UPDATE SET
      pending = p_request, pending_messages = p_messages, pending_since = statement_timestamp();
END $$;

-- Says that a client's request will not be committed.
CREATE FUNCTION abandon_prefix(
  p_tenant uuid, p_session text, p_request text, p_outcome text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  UPDATE prefix_sessions s SET
    last_outcome = p_outcome,
    pending_messages = CASE WHEN s.pending = p_request THEN 0 ELSE s.pending_messages END,
    pending = CASE WHEN s.pending = p_request THEN '' ELSE s.pending END
  WHERE s.tenant = p_tenant AND s.session = p_session;
END $$;

-- Commits an entry, in the transaction of whoever calls it.
--
-- Outcomes: OK (also when the same entry was committed before and its reply was
-- lost), STALE (somebody else's was committed meanwhile: nothing is written).
CREATE FUNCTION write_prefix(
  p_tenant uuid, p_thread uuid, p_request text, p_entry jsonb, p_elements bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  e record;
  p_session text := p_entry ->> 'session';
  chain_now bytea := decode(p_entry ->> 'chain', 'hex');
  said boolean := p_entry ->> 'reported' IS NOT NULL;
  boundary jsonb;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  SELECT * INTO e FROM jsonb_to_record(p_entry) AS r(
    revision bigint, epoch integer, first integer, count integer, bytes bigint, model text,
    route text, template text, sent_elements integer, sent_bytes bigint, sent_tokens bigint,
    predicted bigint, reported bigint, first_delta_ms integer, miss text, difference jsonb,
    label text, interrupted boolean, summary text, summarised bigint);
  boundary := jsonb_strip_nulls(jsonb_build_object(
    'label', e.label, 'epoch', e.epoch, 'revision', e.revision, 'count', e.count,
    'bytes', e.bytes, 'chain', left(p_entry ->> 'chain', 16), 'context',
    CASE WHEN p_entry ->> 'predicted' IS NOT NULL THEN e.sent_tokens END, 'predicted', e.predicted,
    'cached', e.reported, 'first_delta_ms', e.first_delta_ms, 'miss', nullif(e.miss, ''),
    'time', to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')));
  INSERT INTO prefix_sessions (tenant, session) VALUES (p_tenant, p_session)
    ON CONFLICT (tenant, session) DO NOTHING;
  -- The compare-and-set: of two who go on from one revision, one finds its row.
  UPDATE prefix_sessions s SET
    thread = p_thread, epoch = e.epoch, revision = e.revision, model = e.model, route = e.route,
    template = e.template, count = e.count, bytes = e.bytes, chain = chain_now,
    sent_elements = e.sent_elements, sent_bytes = e.sent_bytes, sent_tokens = e.sent_tokens,
    prompt_tokens = s.prompt_tokens + CASE WHEN said THEN e.sent_tokens ELSE 0 END,
    predicted_tokens = s.predicted_tokens + CASE WHEN said THEN e.predicted ELSE 0 END,
    reported_tokens = s.reported_tokens + coalesce(e.reported, 0),
    last_predicted = coalesce(e.predicted, s.last_predicted),
    last_reported = CASE WHEN e.predicted IS NULL THEN s.last_reported ELSE e.reported END,
    first_delta_ms = coalesce(e.first_delta_ms, s.first_delta_ms),
    last_miss = CASE WHEN e.miss <> '' THEN e.miss ELSE s.last_miss END,
    difference = CASE WHEN e.miss <> '' THEN e.difference ELSE s.difference END,
    last_outcome = 'COMMITTED', interrupted = e.interrupted, evicted = false,
    summary = e.summary, summarised = e.summarised,
    boundaries = CASE WHEN jsonb_array_length(s.boundaries) < 32
      THEN s.boundaries ELSE s.boundaries - 0 END || boundary,
    pending_messages = CASE WHEN s.pending = p_request THEN 0 ELSE s.pending_messages END,
    pending = CASE WHEN s.pending = p_request THEN '' ELSE s.pending END,
    -- Answers to calls are no request: they keep no provider's cache warm.
    touched = CASE WHEN e.predicted IS NULL THEN s.touched ELSE statement_timestamp() END
  WHERE s.tenant = p_tenant AND s.session = p_session AND s.revision = e.revision - 1;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM prefix_sessions s WHERE s.tenant = p_tenant AND s.session = p_session
               AND s.revision = e.revision AND s.chain = chain_now) THEN
      RETURN 'OK';
    END IF;
    PERFORM abandon_prefix(p_tenant, p_session, p_request, 'STALE');
    RETURN 'STALE';
  END IF;
  IF e.first = 0 THEN
    DELETE FROM prefix_elements p WHERE p.tenant = p_tenant AND p.session = p_session;
  END IF;
  IF cardinality(p_elements) > 0 THEN
    INSERT INTO prefix_elements (tenant, session, first, elements)
      VALUES (p_tenant, p_session, e.first, p_elements);
  END IF;
  RETURN 'OK';
END $$;

-- Writes a thread's entry beside a commit of its turn, in one statement and so
-- one transaction: what the turn's function did stands with it, or neither does.
CREATE FUNCTION with_prefix(
  p_outcome text, p_tenant uuid, p_thread uuid, p_entry jsonb, p_elements bytea[]
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF p_outcome IN ('OK', 'PROMOTED') THEN
    PERFORM write_prefix(p_tenant, p_thread, '', p_entry, p_elements);
  END IF;
  RETURN p_outcome;
END $$;
