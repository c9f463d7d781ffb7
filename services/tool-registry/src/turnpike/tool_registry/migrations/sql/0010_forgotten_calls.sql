-- What a thread's deletion takes as well: the calls of its turns, with their arguments and results.
ALTER TABLE calls ADD COLUMN forgotten boolean NOT NULL DEFAULT false;
CREATE INDEX calls_forgotten ON calls (tenant, effect) WHERE forgotten;

-- As before, and the turns' calls are seen no more; the sweep deletes those that are over.
CREATE OR REPLACE FUNCTION forget_turns(p_tenant uuid, p_turns uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- In order: who forgets the same turns waits. Whoever keeps an artifact of one, or begins a call,
  -- locks the same row first, so that it is either seen by the statements below, or not at all.
  INSERT INTO turn_fences AS f (tenant, turn, fence)
    SELECT p_tenant, each, 9223372036854775807 FROM unnest(p_turns) AS each ORDER BY each
    ON CONFLICT (tenant, turn) DO UPDATE SET fence = excluded.fence;
  UPDATE artifacts SET due = CASE WHEN kept THEN statement_timestamp()
      ELSE greatest(statement_timestamp(), created + interval '10 minutes') END
    WHERE tenant = p_tenant AND turn = ANY(p_turns) AND due IS NULL;
  -- An effect is `turn:step:ordinal`, and `;` is what follows `:`.
  UPDATE calls c SET forgotten = true FROM unnest(p_turns) AS each
    WHERE c.tenant = p_tenant AND c.effect >= each || ':' AND c.effect < each || ';'
      AND NOT c.forgotten;
END $$;
