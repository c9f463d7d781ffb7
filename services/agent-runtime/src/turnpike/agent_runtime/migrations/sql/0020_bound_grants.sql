-- Binds grants to connectors themselves: one that has the name later is asked for again.

-- Which connector's tool it is, as the registry says. What was granted before is of none: it is
-- asked for once more.
ALTER TABLE grants ADD COLUMN connector text NOT NULL DEFAULT '';

-- Keeps a grant in the transaction of the decision that gives it. The one without a connector
-- stays, for replicas of before.
CREATE FUNCTION keep_grant(
  p_tenant uuid, p_id uuid, p_principal uuid, p_tool text, p_digest text, p_conditions jsonb,
  p_expires timestamptz, p_by uuid, p_approval uuid, p_connector text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO grants (id, tenant, principal, tool, definition_digest, conditions, expires,
                      granted_by, approval, connector)
    VALUES (p_id, p_tenant, p_principal, p_tool, p_digest, p_conditions, p_expires, p_by,
            p_approval, p_connector);
  PERFORM record_audit(p_tenant, 'grant:' || p_id, jsonb_build_object(
    'kind', 'GRANTED', 'grant', p_id, 'principal', p_principal, 'tool', p_tool,
    'definition_digest', p_digest, 'connector', p_connector, 'conditions', p_conditions::text,
    'expires', p_expires, 'by', p_by, 'approval', p_approval));
END $$;

-- As before, and of the connector that was decided on.
CREATE OR REPLACE FUNCTION keep_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM keep_grant(
      NEW.tenant, gen_random_uuid(), NEW.principal, i ->> 'name', i ->> 'digest',
      scope_conditions(last.scope), last.expires, last.principal, NEW.id,
      coalesce(i ->> 'connector_identity', ''))
    FROM jsonb_array_elements(NEW.items) AS i
    CROSS JOIN LATERAL (
      SELECT d.scope, d.expires, d.principal, count(*) OVER () AS said
      FROM decisions d
      WHERE d.approval = NEW.id AND d.call_id = i ->> 'call_id' AND d.kind = 'approve_always'
      ORDER BY d.created DESC LIMIT 1) AS last
    WHERE (i ->> 'grantable')::boolean
      AND last.said >= coalesce((NEW.rules ->> 'quorum')::integer, 1);
  RETURN NULL;
END $$;

-- As before, with the connector of each grant: returns what tenant and person say at this moment, but for the specs that the caller
-- knows, and the person's standing grants for some tools.
CREATE OR REPLACE FUNCTION read_policy(
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
                'digest', g.definition_digest, 'connector', g.connector,
                'conditions', g.conditions) ORDER BY g.created)
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
