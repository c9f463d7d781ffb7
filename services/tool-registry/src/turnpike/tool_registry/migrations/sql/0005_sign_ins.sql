-- Credentials that a person's consent gives. Their `headers` hold the access token that
-- is good now; the row of the empty principal serves whoever has none.
ALTER TABLE credentials
  -- What renews it, sealed: who gave it, to which client, and the refresh token. Empty for
  -- headers that somebody set.
  ADD COLUMN renewable text NOT NULL DEFAULT '',
  ADD COLUMN issuer text NOT NULL DEFAULT '',
  ADD COLUMN scope text NOT NULL DEFAULT '',
  -- What its server said that it falls short of; the next sign-in asks for both.
  ADD COLUMN wanted_scope text NOT NULL DEFAULT '',
  -- Raised by each renewal. The version stays, and with it the sessions.
  ADD COLUMN serial bigint NOT NULL DEFAULT 0,
  ADD COLUMN expires timestamptz,
  ADD COLUMN renew_at timestamptz,
  -- The renewal that is under way, and until when nobody else begins one.
  ADD COLUMN renewal uuid,
  ADD COLUMN renewal_until timestamptz,
  -- Why it cannot be renewed any more; empty while it can.
  ADD COLUMN refusal text NOT NULL DEFAULT '';

-- Persons on their way through an authorization server's pages.
CREATE TABLE sign_ins (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  -- Of what comes back with the browser; it is used once.
  state_digest text NOT NULL,
  connector text COLLATE "C" NOT NULL,
  -- Who began it, and alone may end it.
  principal text NOT NULL,
  -- Whose the credential will be; empty for the shared one.
  owner text NOT NULL,
  -- Where the connector's server was: the credential is for no other.
  place text NOT NULL,
  issuer text NOT NULL,
  -- Sealed: the PKCE verifier, the client, where the code is exchanged. Empty once used.
  pending text NOT NULL,
  status text NOT NULL DEFAULT 'PENDING' CHECK (
    status IN ('PENDING', 'EXCHANGING', 'DONE', 'FAILED')),
  reason text NOT NULL DEFAULT '',
  message text NOT NULL DEFAULT '',
  expires timestamptz NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, state_digest),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

CREATE INDEX sign_ins_old ON sign_ins (expires);
CREATE INDEX sign_ins_connector ON sign_ins (tenant, connector);

-- Clients that authorization servers registered for us; each is its issuer's alone.
CREATE TABLE oauth_clients (
  tenant uuid NOT NULL,
  connector text COLLATE "C" NOT NULL,
  issuer text NOT NULL,
  redirect_uri text NOT NULL,
  -- Sealed: its id and secret, and how it shows them.
  client text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, connector, issuer, redirect_uri),
  FOREIGN KEY (tenant, connector) REFERENCES connectors (tenant, name) ON DELETE CASCADE
);

-- What `begin_call` was, and the credential may be the shared one. It is named by its
-- version and serial; one that is to be renewed first makes no call ready.
CREATE OR REPLACE FUNCTION begin_call(
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
    LEFT JOIN LATERAL (
      SELECT o.version || '.' || o.serial AS mark, o.renew_at FROM credentials o
      WHERE o.tenant = c.tenant AND o.connector = c.name
        AND (o.principal = p_principal OR o.principal = '') AND (o.principal <> '' OR NOT c.personal)
      ORDER BY o.principal = '' LIMIT 1) k ON true
    WHERE c.tenant = p_tenant AND c.name = split_part(p_tool, '/', 1) AND c.etag = p_etag
      AND t.name = substr(p_tool, strpos(p_tool, '/') + 1) AND t.generation = c.generation
      AND t.digest = p_definition_digest AND t.state = 'OK'
      AND c.enabled AND s.enabled IS DISTINCT FROM false AND c.owner IN ('', p_principal)
      AND coalesce(k.mark, '') = p_credential AND (p_credential <> '' OR NOT c.personal)
      AND coalesce(k.renew_at > statement_timestamp(), true));
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
