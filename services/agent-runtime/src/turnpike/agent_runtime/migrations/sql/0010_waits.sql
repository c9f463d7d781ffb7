-- Turns that wait for a provider wait one behind the other, and a provider that stays away is
-- asked ever more seldom.

-- As before, but who comes later is due later: the first is the one that asks whether the provider
-- is back, and its success makes all due. The others are there in case it dies.
CREATE OR REPLACE FUNCTION wait_for_provider(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_credential text, p_delay interval,
  p_waited interval, p_patience interval, p_first bigint, p_last bigint, p_events bytea,
  p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before integer;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  PERFORM FROM turns t WHERE t.id = p_turn AND t.fence = p_fence AND t.status = 'RUNNING'
    AND t.waits_step = t.step + 1
    AND t.waits_since + p_patience < clock_timestamp() + p_delay;
  IF FOUND THEN
    RETURN 'EXPIRED';
  END IF;
  -- Beyond twenty it makes no difference.
  SELECT count(*) INTO before FROM (
    SELECT FROM turns t WHERE t.waits_on = p_credential AND t.status = 'WAITING'
      AND t.waiting_for = 'provider' AND t.owner IS NULL AND t.id <> p_turn LIMIT 20) AS w;
  UPDATE turns t SET
    status = 'WAITING', waiting_for = 'provider', owner = NULL, owner_name = '', fruitless = 0,
    due_at = clock_timestamp() + p_delay + before * interval '0.5 s'
      + CASE WHEN before < 20 THEN interval '0' ELSE random() * interval '10 s' END,
    committed_seq = p_last,
    reserved_seq = greatest(t.reserved_seq, p_reserve), waits_on = p_credential,
    -- Steps begin at 1, so that 0 is no step's.
    waits_since = CASE WHEN t.waits_step = t.step + 1 THEN t.waits_since
                       ELSE clock_timestamp() - p_waited END,
    waits_step = t.step + 1
  WHERE t.id = p_turn AND t.status = 'RUNNING' AND t.committed_seq < p_first
    AND t.fence = p_fence AND t.owner = p_owner -- fence
    AND t.desired = '';
  IF NOT FOUND THEN
    RETURN commit_refused(p_turn, p_fence, p_last);
  END IF;
  INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)
    VALUES (p_turn, p_first, p_last, p_tenant, p_fence, p_events);
  RETURN 'OK';
END $$;

-- Notes that a credential's provider fails; whoever asked it asks no more. Returns for how long.
--
-- What a provider asks for is what is waited (`p_told`); else, with each of those who asked on
-- behalf of all, twice as long, up to ten seconds.
CREATE FUNCTION begin_outage(
  p_credential text, p_delay interval, p_turn uuid, p_told boolean
) RETURNS interval LANGUAGE sql AS $$
  -- What nobody asked for so long, nobody waits for.
  DELETE FROM provider_outages WHERE retry_at < clock_timestamp() - interval '1 day';
  INSERT INTO provider_outages AS o (credential, retry_at)
    VALUES (p_credential, clock_timestamp() + p_delay)
  ON CONFLICT (credential) DO UPDATE SET
    retry_at = greatest(o.retry_at, clock_timestamp() + CASE
      WHEN p_told THEN p_delay
      ELSE greatest(p_delay, least(interval '10 s', power(2, least(o.failures, 8)) * interval '0.5 s'))
      END),
    failures = o.failures + CASE WHEN o.probe_turn = p_turn THEN 1 ELSE 0 END,
    -- One that was under way since before says nothing of the one who asks now.
    probe_turn = CASE WHEN o.probe_turn = p_turn THEN NULL ELSE o.probe_turn END
  RETURNING greatest(retry_at - clock_timestamp(), interval '0')
$$;
