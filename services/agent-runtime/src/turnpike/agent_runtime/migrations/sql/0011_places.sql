-- What is asked at another place than its configuration now names is not shown the credential.

-- As before, but for a turn that keeps to a version from before the model was moved.
CREATE OR REPLACE FUNCTION read_routes(
  p_tenant uuid, p_principal uuid, p_turn uuid, p_thread uuid, p_name text, p_role text
) RETURNS TABLE (
  pool text, owner uuid, name text, version bigint, scope text, weight integer, spec jsonb,
  sealed_api_key text, pinned text
) LANGUAGE plpgsql AS $$
DECLARE
  kept jsonb;
  found_pool text;
  nearest models;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  IF p_turn IS NOT NULL THEN
    SELECT r.members, r.pool INTO kept, found_pool FROM turn_routes r WHERE r.turn = p_turn;
  END IF;
  IF kept IS NULL THEN
    IF p_role = 'planner' THEN
      SELECT * INTO nearest FROM nearest_planner(p_tenant, p_principal);
    ELSE
      SELECT * INTO nearest FROM nearest_model(p_tenant, p_principal, p_name);
    END IF;
    IF nearest.name IS NULL OR (p_role <> '' AND nearest.role <> p_role) THEN
      RETURN;
    END IF;
    IF nearest.provider = 'pool' THEN
      found_pool := nearest.name;
      SELECT jsonb_agg(jsonb_build_object('tenant', m.tenant, 'principal', m.principal,
               'name', m.name, 'version', m.version, 'weight', p.weight) ORDER BY p.ordinal)
        INTO kept
        FROM pool_members p JOIN models m ON m.tenant = p.member_tenant
          AND m.principal = p.member_principal AND m.name = p.member
        WHERE p.tenant = nearest.tenant AND p.principal = nearest.principal
          AND p.pool = nearest.name;
    ELSE
      found_pool := '';
      kept := jsonb_build_array(jsonb_build_object('tenant', nearest.tenant,
        'principal', nearest.principal, 'name', nearest.name, 'version', nearest.version,
        'weight', 1));
    END IF;
    IF p_turn IS NOT NULL AND kept IS NOT NULL THEN
      -- Whoever lost it to a power cut reads the configurations again, before it calls anybody.
      PERFORM set_config('synchronous_commit', 'off', true);
      INSERT INTO turn_routes (turn, tenant, pool, members)
        VALUES (p_turn, p_tenant, found_pool, kept) ON CONFLICT DO NOTHING;
    END IF;
  END IF;
  RETURN QUERY
    SELECT found_pool, m.tenant, m.name, v.version, m.scope, k.weight, v.spec,
           -- The credential of the moment was given for the place of the moment.
           CASE WHEN m.provider = v.spec ->> 'provider'
                 AND rtrim(m.base_url, '/') = rtrim(v.spec ->> 'base_url', '/')
             THEN m.sealed_api_key ELSE '' END,
           coalesce(t.member, '')
    FROM jsonb_to_recordset(kept) AS k(tenant uuid, principal uuid, name text, version bigint,
                                       weight integer)
    JOIN models m ON m.tenant = k.tenant AND m.principal = k.principal AND m.name = k.name
    JOIN model_versions v ON v.version = k.version
    LEFT JOIN thread_pins t ON t.thread = p_thread AND t.pool = found_pool;
END $$;
