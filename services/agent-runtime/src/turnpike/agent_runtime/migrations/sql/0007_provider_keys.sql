-- Keys of one's own at providers, and whether they must be used.
--
-- Additive: a replica of before goes on with `read_routes`, which knows none.

CREATE TABLE provider_keys (
  tenant uuid NOT NULL,
  -- Whose, of a person's; else the nil UUID.
  principal uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  name text NOT NULL,
  scope text NOT NULL CHECK (scope IN ('TENANT', 'PERSON')),
  -- To whom it is shown, and to nobody else.
  provider text NOT NULL,
  base_url text NOT NULL,
  sealed_api_key text NOT NULL,
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, principal, name),
  CONSTRAINT provider_keys_person CHECK (
    (scope = 'PERSON') = (principal <> '00000000-0000-0000-0000-000000000000'))
);
CREATE INDEX provider_keys_of_endpoint ON provider_keys (tenant, principal, provider);

CREATE TABLE key_modes (
  tenant uuid NOT NULL,
  principal uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  mode text NOT NULL CHECK (mode IN ('OFF', 'PREFERRED', 'REQUIRED')),
  etag text NOT NULL,
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, principal)
);

-- Returns what `read_routes` does, and beside each way the keys of one's own that fit its
-- endpoint, and the modes of the person and of the tenant: all as they are at this moment.
--
-- A key fits where provider and endpoint are the ones that it was given for: whoever
-- configures a model cannot have somebody's key sent elsewhere.
CREATE FUNCTION read_ways(
  p_tenant uuid, p_principal uuid, p_turn uuid, p_thread uuid, p_name text, p_role text
) RETURNS TABLE (
  pool text, owner uuid, name text, version bigint, scope text, weight integer, spec jsonb,
  sealed_api_key text, pinned text, pinned_key text, own_keys jsonb, person_mode text,
  tenant_mode text
) LANGUAGE plpgsql AS $$
DECLARE
  nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
  of_person text;
  of_tenant text;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  SELECT max(m.mode) FILTER (WHERE m.principal <> nobody),
         max(m.mode) FILTER (WHERE m.principal = nobody)
    INTO of_person, of_tenant
    FROM key_modes m WHERE m.tenant = p_tenant AND m.principal IN (p_principal, nobody);
  RETURN QUERY
    SELECT r.pool, r.owner, r.name, r.version, r.scope, r.weight, r.spec, r.sealed_api_key,
           r.pinned, coalesce(t.member, ''),
           coalesce((SELECT jsonb_agg(jsonb_build_object('scope', k.scope,
                              'sealed', k.sealed_api_key) ORDER BY k.name)
                     FROM provider_keys k
                     WHERE k.tenant = p_tenant AND k.principal IN (p_principal, nobody)
                       AND k.provider = r.spec ->> 'provider'
                       AND k.base_url = rtrim(r.spec ->> 'base_url', '/')), '[]'),
           coalesce(of_person, ''), coalesce(of_tenant, '')
    FROM read_routes(p_tenant, p_principal, p_turn, p_thread, p_name, p_role) AS r
    -- No pool is called so: names have no space in them.
    LEFT JOIN thread_pins t ON t.thread = p_thread AND t.pool = 'key of ' || r.name;
END $$;
