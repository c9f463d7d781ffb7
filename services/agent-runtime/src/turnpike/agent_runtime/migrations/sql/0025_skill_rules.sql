-- Returns what skills say of calls: each in the version that was loaded, and after that in the
-- version of now, if it is another. Rules are left out of versions that the caller knows.
CREATE FUNCTION read_skill_rules(
  p_tenant uuid, p_loaded uuid[], p_known uuid[], OUT skill text, OUT version uuid, OUT rules jsonb
) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN QUERY SELECT v.skill, v.id,
      CASE WHEN v.id <> ALL (p_known) THEN v.spec -> 'rules' END
    FROM unnest(p_loaded) WITH ORDINALITY AS l(id, place)
    JOIN skill_versions was ON was.id = l.id
    LEFT JOIN skills s ON s.tenant = p_tenant AND s.name = was.skill
    CROSS JOIN LATERAL (
      SELECT was.id UNION SELECT s.version WHERE s.version <> ALL (p_loaded)) AS e(id)
    JOIN skill_versions v ON v.id = e.id
    ORDER BY l.place, v.number;
END $$;
