-- Models with scopes, versions, pools and the pins of threads.
--
-- Additive: a replica of before goes on with the columns that it knows.

CREATE SEQUENCE model_version_numbers;

-- Nobody's row-level security applies to what was there before.
ALTER TABLE models NO FORCE ROW LEVEL SECURITY;
ALTER TABLE models
  ADD COLUMN scope text NOT NULL DEFAULT 'TENANT'
    CHECK (scope IN ('PLATFORM', 'TENANT', 'PERSON')),
  -- Whose, of a person's; else the nil UUID.
  ADD COLUMN principal uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  ADD COLUMN version bigint NOT NULL DEFAULT nextval('model_version_numbers'),
  ADD COLUMN context_window bigint NOT NULL DEFAULT 0,
  ADD COLUMN max_output bigint NOT NULL DEFAULT 0,
  ADD COLUMN capabilities jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN options jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN quota_pool text NOT NULL DEFAULT '',
  ADD CONSTRAINT models_person CHECK (
    (scope = 'PERSON') = (principal <> '00000000-0000-0000-0000-000000000000')),
  DROP CONSTRAINT models_pkey,
  ADD PRIMARY KEY (tenant, principal, name);
-- Exactly one planner in a scope, or none: two at once cannot both be stored.
CREATE UNIQUE INDEX models_one_planner ON models (tenant, principal) WHERE role = 'planner';
-- What a pool's members refer to, their role included.
CREATE UNIQUE INDEX models_with_role ON models (tenant, principal, name, role);
CREATE INDEX models_of_the_platform ON models (name) WHERE scope = 'PLATFORM';

-- Immutable: what a configuration was, but for its credential.
CREATE TABLE model_versions (
  version bigint PRIMARY KEY,
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  name text NOT NULL,
  scope text NOT NULL,
  spec jsonb NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX model_versions_of_model ON model_versions (tenant, principal, name, version);

-- A planner is never in a pool: the key names the role.
CREATE TABLE pool_members (
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  pool text NOT NULL,
  ordinal integer NOT NULL,
  member_tenant uuid NOT NULL,
  member_principal uuid NOT NULL,
  member text NOT NULL,
  weight integer NOT NULL CHECK (weight > 0),
  role text NOT NULL DEFAULT 'chat' CHECK (role = 'chat'),
  PRIMARY KEY (tenant, principal, pool, member),
  FOREIGN KEY (tenant, principal, pool) REFERENCES models ON DELETE CASCADE,
  CONSTRAINT pool_members_chat FOREIGN KEY (member_tenant, member_principal, member, role)
    REFERENCES models (tenant, principal, name, role)
);
CREATE INDEX pool_members_of_model ON pool_members (member_tenant, member_principal, member);

-- Which member of a pool a thread is pinned to.
CREATE TABLE thread_pins (
  thread uuid NOT NULL REFERENCES threads ON DELETE CASCADE,
  pool text NOT NULL,
  tenant uuid NOT NULL,
  member text NOT NULL,
  pinned timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (thread, pool)
);

-- Which versions a turn goes on with, whoever goes on with it.
CREATE TABLE turn_routes (
  turn uuid PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
  tenant uuid NOT NULL,
  pool text NOT NULL,
  members jsonb NOT NULL
);

CREATE FUNCTION model_spec(m models) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object(
    'provider', m.provider, 'model', m.model, 'base_url', m.base_url, 'role', m.role,
    'prices', m.prices, 'context_window', m.context_window, 'max_output', m.max_output,
    'capabilities', m.capabilities, 'options', m.options, 'quota_pool', m.quota_pool)
$$;

INSERT INTO model_versions (version, tenant, principal, name, scope, spec)
  SELECT m.version, m.tenant, m.principal, m.name, m.scope, model_spec(m) FROM models m;
ALTER TABLE models FORCE ROW LEVEL SECURITY;

CREATE FUNCTION number_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF model_spec(NEW) IS DISTINCT FROM model_spec(OLD) THEN
    NEW.version := nextval('model_version_numbers');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER number_model BEFORE UPDATE ON models
  FOR EACH ROW EXECUTE FUNCTION number_model();

CREATE FUNCTION keep_model_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.version <> OLD.version THEN
    INSERT INTO model_versions (version, tenant, principal, name, scope, spec)
      VALUES (NEW.version, NEW.tenant, NEW.principal, NEW.name, NEW.scope, model_spec(NEW));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER keep_model_version AFTER INSERT OR UPDATE ON models
  FOR EACH ROW EXECUTE FUNCTION keep_model_version();

-- Returns the nearest model of a name: the person's, the tenant's, the platform's.
CREATE FUNCTION nearest_model(p_tenant uuid, p_principal uuid, p_name text)
RETURNS SETOF models LANGUAGE sql STABLE AS $$
  SELECT m.* FROM models m
  WHERE m.name = p_name AND (
    m.scope = 'PLATFORM' OR m.tenant = p_tenant AND (m.scope = 'TENANT' OR m.principal = p_principal))
  ORDER BY CASE m.scope WHEN 'PERSON' THEN 1 WHEN 'TENANT' THEN 2 ELSE 3 END, m.tenant
  LIMIT 1
$$;

-- Returns the nearest planner.
CREATE FUNCTION nearest_planner(p_tenant uuid, p_principal uuid)
RETURNS SETOF models LANGUAGE sql STABLE AS $$
  SELECT m.* FROM models m
  WHERE m.role = 'planner' AND (
    m.scope = 'PLATFORM' OR m.tenant = p_tenant AND (m.scope = 'TENANT' OR m.principal = p_principal))
  ORDER BY CASE m.scope WHEN 'PERSON' THEN 1 WHEN 'TENANT' THEN 2 ELSE 3 END, m.tenant
  LIMIT 1
$$;

-- Returns the ways to what an agent names: one model, or each member of a pool, in the versions
-- that the turn began with, with their credentials as they are now.
--
-- Without a turn nothing is kept; `p_role` is `chat`, `embedding`, `planner` (then the name is
-- empty), or empty for any. No row: there is nothing of that name.
CREATE FUNCTION read_routes(
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
    SELECT found_pool, m.tenant, m.name, v.version, m.scope, k.weight, v.spec, m.sealed_api_key,
           coalesce(t.member, '')
    FROM jsonb_to_recordset(kept) AS k(tenant uuid, principal uuid, name text, version bigint,
                                       weight integer)
    JOIN models m ON m.tenant = k.tenant AND m.principal = k.principal AND m.name = k.name
    JOIN model_versions v ON v.version = k.version
    LEFT JOIN thread_pins t ON t.thread = p_thread AND t.pool = found_pool;
END $$;

-- Pins a thread to a pool's member, unless it is pinned to another than `p_from` by now; returns
-- the pin that stands.
CREATE FUNCTION pin_thread(p_tenant uuid, p_thread uuid, p_pool text, p_member text, p_from text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  stands text;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO thread_pins AS t (thread, pool, tenant, member)
    VALUES (p_thread, p_pool, p_tenant, p_member)
    ON CONFLICT (thread, pool) DO UPDATE SET member = p_member, pinned = statement_timestamp()
      WHERE t.member = p_from
    RETURNING t.member INTO stands;
  IF stands IS NULL THEN
    SELECT t.member INTO stands FROM thread_pins t WHERE t.thread = p_thread AND t.pool = p_pool;
  END IF;
  RETURN stands;
END $$;
