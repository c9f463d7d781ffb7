-- Turns that wait for a provider, and who may ask it whether it is back.

ALTER TABLE turns
  -- Which credential a turn waits for, and since when; it counts while `waits_step` is the step.
  ADD COLUMN waits_on text NOT NULL DEFAULT '',
  ADD COLUMN waits_since timestamptz,
  ADD COLUMN waits_step integer NOT NULL DEFAULT 0;
CREATE INDEX turns_waiting_on ON turns (waits_on, position)
  WHERE status = 'WAITING' AND waiting_for = 'provider';

-- A credential whose provider failed, and the one turn that may ask it. Nobody's: a credential
-- of the platform is many tenants'. The key is a keyed hash and says nothing.
CREATE TABLE provider_outages (
  credential text PRIMARY KEY,
  began timestamptz NOT NULL DEFAULT statement_timestamp(),
  retry_at timestamptz NOT NULL,
  failures integer NOT NULL DEFAULT 1,
  probe_turn uuid,
  probe_fence bigint
);

-- Pauses a turn until its provider may be back: its slot is free, and nobody owns it.
--
-- Outcomes: those of every commit, and EXPIRED: it has waited for longer than it may.
CREATE FUNCTION wait_for_provider(
  p_tenant uuid, p_turn uuid, p_fence bigint, p_owner uuid, p_credential text, p_delay interval,
  p_waited interval, p_patience interval, p_first bigint, p_last bigint, p_events bytea,
  p_reserve bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  PERFORM FROM turns t WHERE t.id = p_turn AND t.fence = p_fence AND t.status = 'RUNNING'
    AND t.waits_step = t.step + 1
    AND t.waits_since + p_patience < clock_timestamp() + p_delay;
  IF FOUND THEN
    RETURN 'EXPIRED';
  END IF;
  UPDATE turns t SET
    status = 'WAITING', waiting_for = 'provider', owner = NULL, owner_name = '', fruitless = 0,
    due_at = clock_timestamp() + p_delay, committed_seq = p_last,
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

-- Notes that a credential's provider fails; whoever asked it asks no more.
CREATE FUNCTION begin_outage(p_credential text, p_delay interval, p_turn uuid)
RETURNS void LANGUAGE sql AS $$
  -- What nobody asked for so long, nobody waits for.
  DELETE FROM provider_outages WHERE retry_at < clock_timestamp() - interval '1 day';
  INSERT INTO provider_outages AS o (credential, retry_at)
    VALUES (p_credential, clock_timestamp() + p_delay)
  ON CONFLICT (credential) DO UPDATE SET
    retry_at = greatest(o.retry_at, excluded.retry_at), failures = o.failures + 1,
    -- One that was under way since before says nothing of the one who asks now.
    probe_turn = CASE WHEN o.probe_turn = p_turn THEN NULL ELSE o.probe_turn END
$$;

-- Says how long a turn is to wait before it may ask a credential's provider: nothing when there is
-- no outage, or when it is the one that asks from now on.
--
-- Who asks does so for as long as its claim stands: a replica that dies takes nothing with it.
CREATE FUNCTION take_probe(p_credential text, p_turn uuid, p_fence bigint, p_again interval)
RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
  o provider_outages;
BEGIN
  SELECT * INTO o FROM provider_outages WHERE credential = p_credential FOR UPDATE;
  IF NOT FOUND THEN
    RETURN interval '0';
  ELSIF o.retry_at > clock_timestamp() THEN
    RETURN o.retry_at - clock_timestamp();
  ELSIF o.probe_turn <> p_turn AND EXISTS (
      SELECT FROM turns t WHERE t.id = o.probe_turn AND t.fence = o.probe_fence
        AND t.owner IS NOT NULL AND t.status = 'RUNNING') THEN
    RETURN p_again;
  END IF;
  UPDATE provider_outages SET probe_turn = p_turn, probe_fence = p_fence
    WHERE credential = p_credential;
  RETURN interval '0';
END $$;

-- Ends an outage, and makes those who wait for it due, one after another.
CREATE FUNCTION end_outage(p_credential text, p_ramp interval)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  freed bigint;
BEGIN
  DELETE FROM provider_outages WHERE credential = p_credential;
  UPDATE turns t SET due_at = statement_timestamp() + w.place * p_ramp
    FROM (SELECT id, row_number() OVER (ORDER BY position) - 1 AS place FROM turns
          WHERE waits_on = p_credential AND status = 'WAITING' AND waiting_for = 'provider'
            AND owner IS NULL) AS w
    WHERE t.id = w.id AND t.owner IS NULL AND t.status = 'WAITING';
  GET DIAGNOSTICS freed = ROW_COUNT;
  RETURN freed;
END $$;
