-- All that an admission reads, in one round trip: sets its tenant itself.
--
-- No row: there is no such tenant. Where `cause` is not null somebody is kept out, and
-- nothing further was read. `p_plan` and `p_payer` are a snapshot's, where the turn has
-- one; with a null plan the subscriptions are weighed. With `p_look` nothing is written
-- down of the tenant's slots.
--
-- The limits of all budgets above the turn come with what was spent: a budget that does
-- not exist costs no look at a counter. `version`, `changed` and `settled` say which
-- state of the account this is; lua/admit.lua compares.
--
-- `idle`: before now, nobody can have held a slot. It stays true for a second after it
-- became false, because the admission that made it false may reach Redis after the
-- ones that it overtook here.
CREATE FUNCTION read_standing(
  p_tenant uuid, p_principal uuid, p_caller uuid, p_agent_owner uuid, p_key uuid,
  p_agent text, p_class text, p_plan text, p_payer text, p_look boolean)
RETURNS TABLE (
  slots integer, principal_slots integer, idle boolean, cause text, until timestamptz,
  version bigint, changed bigint, settled bigint, plan text, payer text,
  per_minute bigint, burst bigint, tokens_per_minute bigint, tokens_burst bigint,
  input_price bigint, output_price bigint,
  scopes text[], subjects text[], periods text[], limits bigint[], spent bigint[],
  resets timestamptz[])
LANGUAGE plpgsql AS $$
DECLARE
  mine tenants;
  account accounts;
  own overrides;
  best plans;
  won record;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  SELECT * INTO mine FROM tenants t WHERE t.tenant = p_tenant;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT f.cause, f.until INTO cause, until
    FROM find_ban(p_tenant, p_principal, p_caller, p_agent_owner, p_key) f;
  IF cause IS NOT NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;

  -- Before whatever it is the version of, so that it never claims too much.
  SELECT * INTO account FROM accounts a WHERE a.tenant = p_tenant;
  SELECT * INTO own FROM overrides o WHERE o.tenant = p_tenant;
  payer := coalesce(p_payer, 'tenant');
  IF p_plan <> '' THEN
    SELECT * INTO best FROM plans p WHERE p.name = p_plan;
  END IF;
  IF p_plan IS NULL OR (p_plan <> '' AND best.name IS NULL) THEN
    SELECT s.plan, s.principal INTO won
      FROM subscriptions s JOIN plans p ON p.name = s.plan
      WHERE s.tenant = p_tenant AND (s.principal IS NULL OR s.principal = p_principal)
        AND s.status <> 'ended' AND s.starts <= now() AND (s.ends IS NULL OR s.ends > now())
      ORDER BY array_position(ARRAY['enterprise', 'team', 'pro', 'free'], p.tier),
        s.principal IS NOT NULL, s.created, s.id LIMIT 1;
    SELECT * INTO best FROM plans p WHERE p.name = won.plan;
    payer := CASE WHEN won.principal IS NULL THEN 'tenant' ELSE 'principal' END;
  END IF;

  version := coalesce(account.version, 0);
  changed := coalesce(account.changed, 0);
  settled := coalesce(account.settled_micro_usd, 0);
  plan := coalesce(best.name, '');
  slots := coalesce(own.slots, CASE payer WHEN 'tenant' THEN best.slots END, mine.slots);
  principal_slots := CASE payer WHEN 'principal' THEN best.slots END;
  CASE p_class
    WHEN 'sync' THEN
      per_minute := coalesce(own.sync_per_minute, best.sync_per_minute);
      burst := coalesce(own.sync_burst, best.sync_burst, per_minute);
    WHEN 'async' THEN
      per_minute := coalesce(own.async_per_minute, best.async_per_minute);
      burst := coalesce(own.async_burst, best.async_burst, per_minute);
    ELSE
      per_minute := coalesce(own.api_per_minute, best.api_per_minute);
      burst := coalesce(own.api_burst, best.api_burst, per_minute);
  END CASE;
  tokens_per_minute := coalesce(own.tokens_per_minute, best.tokens_per_minute);
  tokens_burst := coalesce(own.tokens_burst, best.tokens_burst, tokens_per_minute);
  input_price := own.default_input_price;
  output_price := own.default_output_price;

  SELECT array_agg(b.scope), array_agg(b.subject), array_agg(b.period), array_agg(b.top),
      array_agg(coalesce((
        SELECT c.spent_micro_usd FROM counters c
        WHERE c.tenant = p_tenant AND c.scope = b.scope AND c.subject = b.subject
          AND c.period = b.period AND c.starts = period_start(b.period, now())), 0)),
      array_agg(period_end(b.period, now()))
    INTO scopes, subjects, periods, limits, spent, resets
    FROM (
      SELECT x.scope, x.subject, x.period, x.limit_micro_usd AS top FROM budgets x
        WHERE x.tenant = p_tenant AND (x.scope, x.subject) IN (
          ('tenant', ''), ('principal', p_principal::text), ('key', p_key::text),
          ('agent', p_agent))
      UNION ALL
      -- What the plan allows its payer.
      SELECT payer, CASE payer WHEN 'tenant' THEN '' ELSE p_principal::text END, 'month',
          coalesce(own.monthly_limit_micro_usd, best.monthly_limit_micro_usd)
        WHERE coalesce(own.monthly_limit_micro_usd, best.monthly_limit_micro_usd) IS NOT NULL
    ) b;

  idle := coalesce(mine.active_until <= now(), true)
    OR coalesce(mine.active_from > now() - interval '1 second', false);
  -- Ahead of the lapse of what this may grant (10 s), and seldom: a write in 13 s.
  IF NOT p_look AND coalesce(mine.active_until < now() + interval '12 seconds', true) THEN
    UPDATE tenants t SET
      active_from = CASE WHEN t.active_until > now() THEN t.active_from ELSE now() END,
      active_until = now() + interval '25 seconds'
      WHERE t.tenant = p_tenant
        AND coalesce(t.active_until < now() + interval '12 seconds', true);
  END IF;
  RETURN NEXT;
END $$;

-- Writes what a segment used into the ledger, rolls the counters up and raises the
-- account's version: all in one transaction and one round trip; sets its tenant itself.
--
-- An entry that the ledger has is left as it stands. Settlements of a tenant take turns
-- at its account's row, so the counters' rows are never locked in two orders.
--
-- Returns the account as it stands then, and what the entries cost, those that the
-- ledger had included.
CREATE FUNCTION settle(
  p_tenant uuid, p_turn uuid, p_segment bigint, p_principal uuid, p_key uuid, p_agent text,
  p_payer text, p_plan text,
  p_ids uuid[], p_steps bigint[], p_calls bigint[], p_attempts bigint[], p_kinds text[],
  p_models text[], p_input bigint[], p_cached bigint[], p_written bigint[], p_output bigint[],
  p_reasoning bigint[], p_costs bigint[], p_default boolean[], p_own boolean[],
  p_estimated boolean[])
RETURNS TABLE (version bigint, changed bigint, settled bigint, cost bigint)
LANGUAGE plpgsql AS $$
DECLARE
  total bigint;
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  INSERT INTO accounts AS a (tenant) VALUES (p_tenant)
    ON CONFLICT (tenant) DO UPDATE SET version = a.version + 1;

  WITH entry AS (
    INSERT INTO ledger (
      tenant, id, turn, segment, step, call, attempt, kind, principal, key, agent, model,
      input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
      cost_micro_usd, default_price, own_key, estimated, payer, plan)
    SELECT p_tenant, e.id, p_turn, p_segment, e.step, e.call, e.attempt, e.kind, p_principal,
      p_key, p_agent, e.model, e.input, e.cached, e.written, e.output, e.reasoning, e.cost,
      e.by_default, e.own, e.estimated, p_payer, p_plan
    FROM unnest(p_ids, p_steps, p_calls, p_attempts, p_kinds, p_models, p_input, p_cached,
      p_written, p_output, p_reasoning, p_costs, p_default, p_own, p_estimated)
      AS e (id, step, call, attempt, kind, model, input, cached, written, output, reasoning,
        cost, by_default, own, estimated)
    ON CONFLICT (tenant, id) DO NOTHING
    RETURNING cost_micro_usd
  ), added AS (
    SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS cost FROM entry
  ), rolled AS (
    INSERT INTO counters AS c (tenant, scope, subject, period, starts, spent_micro_usd)
    SELECT p_tenant, s.scope, s.subject, p.period, period_start(p.period, now()), added.cost
    FROM added
    CROSS JOIN (VALUES ('day'), ('month'), ('total')) AS p (period)
    CROSS JOIN (VALUES ('tenant', ''), ('principal', p_principal::text), ('key', p_key::text),
      ('agent', nullif(p_agent, ''))) AS s (scope, subject)
    WHERE added.cost > 0 AND s.subject IS NOT NULL
    ON CONFLICT (tenant, scope, subject, period, starts)
      DO UPDATE SET spent_micro_usd = c.spent_micro_usd + excluded.spent_micro_usd
  )
  SELECT added.cost INTO total FROM added;

  UPDATE accounts a SET settled_micro_usd = a.settled_micro_usd + total
    WHERE a.tenant = p_tenant
    RETURNING a.version, a.changed, a.settled_micro_usd INTO version, changed, settled;
  SELECT coalesce(sum(l.cost_micro_usd), 0)::bigint INTO cost
    FROM ledger l WHERE l.tenant = p_tenant AND l.id = ANY (p_ids);
  RETURN NEXT;
END $$;

-- What one price may be, so that scripts reckon exactly: tokens (10^7) times it stay
-- below 2^53.
ALTER DOMAIN price DROP CONSTRAINT price_check;
ALTER DOMAIN price ADD CONSTRAINT price_check CHECK (VALUE >= 0 AND VALUE <= 900000000);
