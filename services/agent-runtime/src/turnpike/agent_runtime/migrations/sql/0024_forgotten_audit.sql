-- The end of the audit's keeping: a chain's oldest entries are deleted, and where it begins by
-- then is written down, so that it can be verified from there on.
--
-- Additive: the newest seal of a tenant stays, and a replica of before goes on from it.

-- Where a tenant's chain begins: after the last seal that was deleted.
CREATE TABLE audit_anchors (
  tenant uuid PRIMARY KEY,
  position bigint NOT NULL CHECK (position > 0),
  hash text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- No role of the service removes what is recorded. One function does, as the schema's owner, and
-- nothing but what it is for.
DO $$
DECLARE
  kept text;
BEGIN
  FOREACH kept IN ARRAY ARRAY['audit_entries', 'audit_seals', 'audit_unsealed', 'audit_anchors']
  LOOP
    EXECUTE format($p$
      CREATE POLICY forgotten ON %I TO CURRENT_USER
        USING (tenant = nullif(current_setting('turnpike.tenant', true), '')::uuid)
        WITH CHECK (tenant = nullif(current_setting('turnpike.tenant', true), '')::uuid)
    $p$, kept);
  END LOOP;
END $$;

-- Deletes a tenant's oldest sealed entries that are older than that, a day at least, `most` at
-- once, and records that it did. Returns how many.
--
-- They end before the first one that is younger, or whose entry is gone: what somebody removed
-- is found out for as long as anything is kept.
CREATE FUNCTION forget_audit(p_tenant uuid, p_keep interval, p_most integer)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  cutoff CONSTANT timestamptz := statement_timestamp() - greatest(p_keep, interval '1 day');
  first bigint;
  last bigint;
  sealed text;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  -- The sealer's lock: the chain stands still meanwhile.
  IF NOT pg_try_advisory_xact_lock(hashtextextended('audit ' || p_tenant, 0)) THEN
    RETURN 0;
  END IF;
  SELECT min(o.position), max(o.position) INTO first, last FROM (
    SELECT s.position,
           bool_and(coalesce((e.entry ->> 'time')::timestamptz < cutoff, false))
             OVER (ORDER BY s.position) AS old
    FROM (SELECT * FROM audit_seals WHERE tenant = p_tenant ORDER BY position LIMIT p_most) s
    LEFT JOIN audit_entries e ON e.tenant = s.tenant AND e.id = s.entry
  ) o WHERE o.old AND o.position < (
    SELECT max(n.position) FROM audit_seals n WHERE n.tenant = p_tenant);
  IF last IS NULL THEN
    RETURN 0;
  END IF;
  SELECT s.hash INTO sealed FROM audit_seals s WHERE s.tenant = p_tenant AND s.position = last;
  DELETE FROM audit_entries e USING audit_seals s
    WHERE s.tenant = p_tenant AND s.position <= last AND e.tenant = p_tenant AND e.id = s.entry;
  DELETE FROM audit_seals s WHERE s.tenant = p_tenant AND s.position <= last;
  INSERT INTO audit_anchors (tenant, position, hash) VALUES (p_tenant, last, sealed)
    ON CONFLICT (tenant) DO UPDATE
      SET position = last, hash = sealed, created = statement_timestamp();
  PERFORM record_audit(p_tenant, 'forgotten:' || last, jsonb_build_object(
    'kind', 'FORGOTTEN', 'position', last, 'hash', sealed));
  RETURN last - first + 1;
END $$;
REVOKE ALL ON FUNCTION forget_audit FROM PUBLIC;
