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
-- `idle`: before now, nobody can have held a slot. It stays true for 3 seconds after it
-- became false, because the admission that made it false may reach Redis after the
-- ones that it overtook here. `opens` is true for that admission alone: where Redis
-- knows nothing of the tenant, the others wait for it. With `p_look` it is `idle`.
DROP FUNCTION read_standing(uuid, uuid, uuid, uuid, uuid, text, text, text, text, boolean);
CREATE FUNCTION read_standing(
  p_tenant uuid, p_principal uuid, p_caller uuid, p_agent_owner uuid, p_key uuid,
  p_agent text, p_class text, p_plan text, p_payer text, p_look boolean)
RETURNS TABLE (
  slots integer, principal_slots integer, idle boolean, opens boolean,
  cause text, until timestamptz,
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

  opens := coalesce(mine.active_until <= now(), true);
  idle := opens OR coalesce(mine.active_from > now() - interval '3 seconds', false);
  -- Ahead of the lapse of what this may grant (10 s), and seldom: a write in 13 s.
  IF p_look THEN
    opens := idle;
  ELSIF coalesce(mine.active_until < now() + interval '12 seconds', true) THEN
    -- Of several at once the first one finds it idle; the others wait for its commit.
    UPDATE tenants t SET
      active_from = CASE WHEN t.active_until > now() THEN t.active_from ELSE now() END,
      active_until = now() + interval '25 seconds'
      WHERE t.tenant = p_tenant
        AND coalesce(t.active_until < now() + interval '12 seconds', true)
      RETURNING t.active_from = now() INTO opens;
    opens := coalesce(opens, false);
  END IF;
  RETURN NEXT;
END $$;
