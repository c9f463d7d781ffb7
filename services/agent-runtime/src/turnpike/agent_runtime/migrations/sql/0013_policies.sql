-- What tenants and people say of tool calls, the grants that people gave, and the audit.
--
-- Additive: a replica of before judges by its agents' rules alone, and records nothing.

-- Immutable.
CREATE TABLE policy_versions (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  -- Whose, of a person's; else the nil UUID.
  principal uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  number integer NOT NULL,
  spec jsonb NOT NULL,
  created_by uuid NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  UNIQUE (tenant, principal, number)
);

-- The version that counts.
CREATE TABLE policies (
  tenant uuid NOT NULL,
  principal uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  version uuid NOT NULL REFERENCES policy_versions,
  PRIMARY KEY (tenant, principal)
);

-- A person's standing approval of calls of one tool, as it was defined then. What ends
-- one is `revoked`; nothing else of it ever changes.
CREATE TABLE grants (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  -- Whose calls.
  principal uuid NOT NULL,
  -- `connector/tool`, and never a pattern.
  tool text NOT NULL CHECK (tool ~ '^[^*/]+/[^*]+$'),
  definition_digest text NOT NULL CHECK (definition_digest <> ''),
  -- Predicates on the arguments, all of which hold.
  conditions jsonb NOT NULL DEFAULT '[]',
  expires timestamptz,
  granted_by uuid NOT NULL,
  -- The approval that it was decided in.
  approval uuid NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  revoked timestamptz,
  revoked_by uuid
);
CREATE INDEX grants_standing ON grants (tenant, principal, tool) WHERE revoked IS NULL;
CREATE INDEX grants_newest ON grants (tenant, created DESC, id DESC);

-- What was decided and done, each with an id of its own: said twice, it is there once.
CREATE TABLE audit_entries (
  tenant uuid NOT NULL,
  id text NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY,
  entry jsonb NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX audit_entries_of_turn ON audit_entries (tenant, (entry ->> 'turn'), number);

-- The chain: each seal's hash covers the seal before it and an entry.
CREATE TABLE audit_seals (
  tenant uuid NOT NULL,
  position bigint NOT NULL CHECK (position > 0),
  entry text NOT NULL,
  hash text NOT NULL,
  PRIMARY KEY (tenant, position),
  UNIQUE (tenant, entry)
);

-- Entries that are to be sealed: so no turn waits for another one's place in the chain.
CREATE TABLE audit_unsealed (
  tenant uuid NOT NULL,
  number bigint NOT NULL,
  entry text NOT NULL,
  PRIMARY KEY (tenant, number)
);

-- Records an entry in the transaction of what it is about.
CREATE FUNCTION record_audit(p_tenant uuid, p_id text, p_entry jsonb)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  WITH recorded AS (
    INSERT INTO audit_entries (tenant, id, entry)
      VALUES (p_tenant, p_id, p_entry || jsonb_build_object(
        'id', p_id, 'tenant', p_tenant, 'time', to_char(
          statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
      ON CONFLICT DO NOTHING RETURNING number
  )
  INSERT INTO audit_unsealed (tenant, number, entry)
    SELECT p_tenant, r.number, p_id FROM recorded r;
END $$;

-- Records entries beside a commit, in that commit's own transaction: it takes the commit's
-- outcome and returns it. Each entry has its id as `id`.
CREATE FUNCTION with_audit(p_outcome text, p_tenant uuid, p_entries jsonb)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF p_outcome IN ('OK', 'PROMOTED') THEN
    PERFORM record_audit(p_tenant, e.value ->> 'id', e.value)
      FROM jsonb_array_elements(p_entries) AS e;
  END IF;
  RETURN p_outcome;
END $$;

-- Keeps a grant in the transaction of the decision that gives it.
CREATE FUNCTION keep_grant(
  p_tenant uuid, p_id uuid, p_principal uuid, p_tool text, p_digest text, p_conditions jsonb,
  p_expires timestamptz, p_by uuid, p_approval uuid
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO grants (id, tenant, principal, tool, definition_digest, conditions, expires,
                      granted_by, approval)
    VALUES (p_id, p_tenant, p_principal, p_tool, p_digest, p_conditions, p_expires, p_by,
            p_approval);
  PERFORM record_audit(p_tenant, 'grant:' || p_id, jsonb_build_object(
    'kind', 'GRANTED', 'grant', p_id, 'principal', p_principal, 'tool', p_tool,
    'definition_digest', p_digest, 'conditions', p_conditions::text, 'expires', p_expires,
    'by', p_by, 'approval', p_approval));
END $$;

-- Returns what tenant and person say at this moment, but for the specs that the caller
-- knows, and the person's standing grants for some tools.
CREATE FUNCTION read_policy(
  p_tenant uuid, p_principal uuid, p_known uuid[], p_tools text[],
  OUT tenant_version uuid, OUT tenant_spec jsonb, OUT person_version uuid,
  OUT person_spec jsonb, OUT standing jsonb
) LANGUAGE plpgsql AS $$
DECLARE
  nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  -- One statement, and so one moment: a policy and the grants beside it.
  SELECT t.version, person.version, coalesce(
      (SELECT jsonb_agg(jsonb_build_object('id', g.id, 'tool', g.tool,
                'digest', g.definition_digest, 'conditions', g.conditions) ORDER BY g.created)
       FROM grants g
       WHERE g.tenant = p_tenant AND g.principal = p_principal AND g.tool = ANY (p_tools)
         AND g.revoked IS NULL AND (g.expires IS NULL OR g.expires > statement_timestamp())),
      '[]')
    INTO tenant_version, person_version, standing
    FROM (SELECT) AS always
    LEFT JOIN policies t ON t.tenant = p_tenant AND t.principal = nobody
    LEFT JOIN policies person ON person.tenant = p_tenant AND person.principal = p_principal
      AND p_principal <> nobody;
  -- Versions never change, so a later statement reads what this moment meant.
  SELECT v.spec INTO tenant_spec FROM policy_versions v
    WHERE v.id = tenant_version AND v.id <> ALL (p_known);
  SELECT v.spec INTO person_spec FROM policy_versions v
    WHERE v.id = person_version AND v.id <> ALL (p_known);
END $$;
