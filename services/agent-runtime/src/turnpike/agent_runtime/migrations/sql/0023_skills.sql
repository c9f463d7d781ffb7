-- Skills, and which a turn began with.
--
-- Additive: a replica of before runs its agents without them.

-- Immutable.
CREATE TABLE skill_versions (
  id uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  skill text NOT NULL,
  number integer NOT NULL,
  spec jsonb NOT NULL,
  created_by uuid NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  UNIQUE (tenant, skill, number)
);

CREATE TABLE skills (
  tenant uuid NOT NULL,
  name text NOT NULL,
  -- The version that turns get that begin now.
  version uuid NOT NULL REFERENCES skill_versions,
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, name)
);

-- Immutable: what a turn began with, in the order of its agent.
CREATE TABLE turn_skills (
  turn uuid PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
  tenant uuid NOT NULL,
  versions uuid[] NOT NULL
);

-- Returns the skills that a turn has; who asks first pins them for all who come after. No
-- fence: it never changes what is there, and whoever is told it is told the same.
CREATE FUNCTION pin_skills(
  p_tenant uuid, p_turn uuid, p_names text[], OUT name text, OUT version uuid, OUT spec jsonb
) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO turn_skills (turn, tenant, versions)
    SELECT t.id, p_tenant, ARRAY(
      SELECT s.version FROM unnest(p_names) WITH ORDINALITY AS n(name, place)
      JOIN skills s ON s.tenant = p_tenant AND s.name = n.name ORDER BY n.place)
    FROM turns t WHERE t.id = p_turn
    ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT v.skill, v.id, v.spec
    FROM turn_skills t, unnest(t.versions) WITH ORDINALITY AS p(id, place), skill_versions v
    WHERE t.turn = p_turn AND v.id = p.id ORDER BY p.place;
END $$;
