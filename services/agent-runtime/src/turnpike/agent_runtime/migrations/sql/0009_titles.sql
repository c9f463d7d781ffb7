-- Titles of threads, by the planner.

-- Says whether a thread is to be given a title: it has none, and somebody has the role.
CREATE FUNCTION wants_title(p_tenant uuid, p_principal uuid, p_thread uuid)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN EXISTS (SELECT FROM threads t WHERE t.id = p_thread AND t.title = ''
                 AND NOT t.temporary AND NOT t.deleting)
    AND EXISTS (SELECT FROM nearest_planner(p_tenant, p_principal));
END $$;

-- Gives a thread a title, unless somebody gave it one meanwhile or there is none to give, and
-- owes what finding it used. Says whether the thread is called so now.
CREATE FUNCTION title_thread(
  p_tenant uuid, p_turn uuid, p_thread uuid, p_title text, p_entries jsonb
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  PERFORM owe('OK', p_tenant, p_turn, p_entries, false);
  UPDATE threads t SET title = p_title, updated = statement_timestamp()
    WHERE t.id = p_thread AND t.title = '' AND p_title <> '' AND NOT t.deleting;
  RETURN FOUND;
END $$;
