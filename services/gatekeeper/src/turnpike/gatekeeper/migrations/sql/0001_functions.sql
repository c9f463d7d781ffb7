-- Numbers a revocation so that ids become visible in their order: the number is
-- drawn under a lock that is held until the transaction has committed. Without
-- it 7 may commit before 6, and a watcher that has read 7 never sees 6.
CREATE FUNCTION number_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7420, 1);
  NEW.id := nextval('revocation_ids');
  RETURN NEW;
END $$;

CREATE TRIGGER number_revocation BEFORE INSERT ON revocations
  FOR EACH ROW EXECUTE FUNCTION number_revocation();

-- All that an admission reads, in one round trip: sets its tenant itself.
--
-- No row: there is no such tenant. Else `slots`; `cause`, which is null or says who
-- is banned (`principal`, `agent_owner`) or that the `key` is revoked or unknown;
-- `until`, when a ban ends; and `idle`: before now, nobody can have held a slot.
--
-- `idle` stays true for a second after it became false, because the admission that
-- made it false may reach Redis after the ones that it overtook here.
CREATE FUNCTION admit(p_tenant uuid, p_principal uuid, p_agent_owner uuid, p_key uuid)
RETURNS TABLE (slots integer, idle boolean, cause text, until timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
  mine tenants;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  SELECT * INTO mine FROM tenants t WHERE t.tenant = p_tenant;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  slots := mine.slots;
  idle := coalesce(mine.active_until <= now(), true)
    OR coalesce(mine.active_from > now() - interval '1 second', false);

  SELECT CASE WHEN b.principal = p_principal THEN 'principal' ELSE 'agent_owner' END, b.expires
    INTO cause, until
    FROM bans b
    WHERE b.tenant = p_tenant AND b.principal IN (p_principal, p_agent_owner)
      AND (b.expires IS NULL OR b.expires > now())
    ORDER BY (b.principal = p_principal) DESC LIMIT 1;
  IF cause IS NULL AND p_key IS NOT NULL AND NOT EXISTS (
    SELECT FROM api_keys k WHERE k.id = p_key AND k.tenant = p_tenant AND k.revoked IS NULL
  ) THEN
    cause := 'key';
  END IF;

  -- Ahead of the lapse of what this may grant (10 s), and seldom: a write in 13 s.
  IF cause IS NULL AND coalesce(mine.active_until < now() + interval '12 seconds', true) THEN
    UPDATE tenants t SET
      active_from = CASE WHEN t.active_until > now() THEN t.active_from ELSE now() END,
      active_until = now() + interval '25 seconds'
      WHERE t.tenant = p_tenant
        AND coalesce(t.active_until < now() + interval '12 seconds', true);
  END IF;
  RETURN NEXT;
END $$;
