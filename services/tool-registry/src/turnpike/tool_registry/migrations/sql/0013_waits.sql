-- What `settle_orphans` was, and it waits for nobody: whoever forgets turns locks calls in another
-- order. What somebody works on, the next sweep settles.
CREATE OR REPLACE FUNCTION settle_orphans() RETURNS TABLE (status text, number bigint)
LANGUAGE sql AS $$
  WITH settled AS (
    UPDATE calls c SET
      status = CASE WHEN lost THEN 'UNKNOWN' ELSE 'PENDING' END,
      reason = CASE WHEN lost THEN 'OUTCOME_UNKNOWN' ELSE '' END,
      finished = CASE WHEN lost THEN statement_timestamp() END,
      executor = CASE WHEN lost THEN c.executor END,
      attempt = c.attempt + 1
    FROM (
      SELECT o.tenant, o.effect,
        o.status = 'DISPATCHED' AND NOT o.repeatable AND o.task = '' AS lost
      FROM calls o
      WHERE o.status IN ('PENDING', 'DISPATCHED') AND o.executor IS NOT NULL
        AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = o.executor AND NOT r.dead)
      FOR UPDATE SKIP LOCKED) orphan
    WHERE c.tenant = orphan.tenant AND c.effect = orphan.effect
    RETURNING c.status)
  SELECT s.status, count(*) FROM settled s GROUP BY s.status
$$;

-- As before, and the artifacts are locked in the order of their ids, as the sweep deletes them.
CREATE OR REPLACE FUNCTION forget_turns(p_tenant uuid, p_turns uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- In order: who forgets the same turns waits. Whoever keeps an artifact of one, or begins a call,
  -- locks the same row first, so that it is either seen by the statements below, or not at all.
  INSERT INTO turn_fences AS f (tenant, turn, fence)
    SELECT p_tenant, each, 9223372036854775807 FROM unnest(p_turns) AS each ORDER BY each
    ON CONFLICT (tenant, turn) DO UPDATE SET fence = excluded.fence;
  UPDATE artifacts a SET due = CASE WHEN a.kept THEN statement_timestamp()
      ELSE greatest(statement_timestamp(), a.created + interval '10 minutes') END
    FROM (SELECT id FROM artifacts WHERE tenant = p_tenant AND turn = ANY(p_turns) AND due IS NULL
      ORDER BY id FOR NO KEY UPDATE) theirs
    WHERE a.id = theirs.id;
  -- An effect is `turn:step:ordinal`, and `;` is what follows `:`.
  UPDATE calls c SET forgotten = true FROM unnest(p_turns) AS each
    WHERE c.tenant = p_tenant AND c.effect >= each || ':' AND c.effect < each || ';'
      AND NOT c.forgotten;
END $$;
