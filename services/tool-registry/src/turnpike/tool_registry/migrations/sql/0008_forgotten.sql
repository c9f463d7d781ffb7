-- What a thread's deletion takes: the artifacts of its turns' calls.

-- Whether the bytes are there; one that is not yet kept is not to be forgotten under its keeper's
-- hands. Replicas of the version before keep without saying so.
ALTER TABLE artifacts
  ADD COLUMN kept boolean NOT NULL DEFAULT true,
  -- When the sweep takes it; it is seen no more from when this is set.
  ADD COLUMN due timestamptz;
CREATE INDEX artifacts_due ON artifacts (due) WHERE due IS NOT NULL;

-- Forgets turns: from then on their calls are refused as an older claim's are, and keep nothing.
CREATE FUNCTION forget_turns(p_tenant uuid, p_turns uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- In order: who forgets the same turns waits. Whoever keeps an artifact of one locks the same
  -- row first, so that it is either seen by the statement below, or not kept at all.
  INSERT INTO turn_fences AS f (tenant, turn, fence)
    SELECT p_tenant, each, 9223372036854775807 FROM unnest(p_turns) AS each ORDER BY each
    ON CONFLICT (tenant, turn) DO UPDATE SET fence = excluded.fence;
  UPDATE artifacts SET due = CASE WHEN kept THEN statement_timestamp()
      ELSE greatest(statement_timestamp(), created + interval '10 minutes') END
    WHERE tenant = p_tenant AND turn = ANY(p_turns) AND due IS NULL;
END $$;
