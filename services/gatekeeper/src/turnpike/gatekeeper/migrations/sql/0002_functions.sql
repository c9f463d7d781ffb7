CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

-- Its owner too may not change it.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who reads limits must know whether they have changed since; see `changed`.
CREATE FUNCTION raise_version(p_tenant uuid) RETURNS void LANGUAGE sql AS $$
  INSERT INTO accounts AS a (tenant) VALUES (p_tenant)
  ON CONFLICT (tenant) DO UPDATE SET version = a.version + 1, changed = a.version + 1
$$;

CREATE FUNCTION tenant_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_version(coalesce(NEW.tenant, OLD.tenant));
  RETURN NULL;
END $$;

CREATE FUNCTION plan_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- In their order, so that two changes do not wait for each other.
  PERFORM raise_version(s.tenant) FROM (
    SELECT DISTINCT tenant FROM subscriptions WHERE plan = NEW.name ORDER BY tenant) s;
  RETURN NULL;
END $$;

CREATE TRIGGER raise_version AFTER INSERT OR UPDATE OR DELETE ON subscriptions
  FOR EACH ROW EXECUTE FUNCTION tenant_changed();
CREATE TRIGGER raise_version AFTER INSERT OR UPDATE OR DELETE ON overrides
  FOR EACH ROW EXECUTE FUNCTION tenant_changed();
CREATE TRIGGER raise_version AFTER INSERT OR UPDATE OR DELETE ON budgets
  FOR EACH ROW EXECUTE FUNCTION tenant_changed();
CREATE TRIGGER raise_version AFTER UPDATE ON plans
  FOR EACH ROW EXECUTE FUNCTION plan_changed();

-- Who or what keeps out those behind a turn; no row where nothing does.
--
-- `cause` is `principal`, `caller` or `agent_owner`, who is banned, or `key`, which
-- is revoked or unknown; `until`, when the ban ends. Null arguments keep nobody out.
-- Called for one turn by `read_standing` and for all that run by heartbeats, whose
-- role sees every tenant: so it names the tenant in each of its reads.
CREATE FUNCTION find_ban(
  p_tenant uuid, p_principal uuid, p_caller uuid, p_agent_owner uuid, p_key uuid)
RETURNS TABLE (cause text, until timestamptz) LANGUAGE sql STABLE AS $$
  (SELECT CASE b.principal
            WHEN p_principal THEN 'principal' WHEN p_caller THEN 'caller' ELSE 'agent_owner' END,
          b.expires
     FROM bans b
     WHERE b.tenant = p_tenant AND b.principal IN (p_principal, p_caller, p_agent_owner)
       AND (b.expires IS NULL OR b.expires > now())
     ORDER BY b.principal = p_principal DESC, b.principal = p_caller DESC LIMIT 1)
  UNION ALL
  SELECT 'key', NULL
    WHERE p_key IS NOT NULL AND NOT EXISTS (
      SELECT FROM api_keys k WHERE k.id = p_key AND k.tenant = p_tenant AND k.revoked IS NULL)
  LIMIT 1
$$;

-- When a period began and when the next one does, in UTC.
CREATE FUNCTION period_start(p_period text, p_time timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE p_period WHEN 'total' THEN to_timestamp(0)
    ELSE date_trunc(p_period, p_time, 'UTC') END
$$;
CREATE FUNCTION period_end(p_period text, p_time timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE p_period WHEN 'total' THEN NULL
    WHEN 'day' THEN (date_trunc('day', p_time AT TIME ZONE 'UTC') + interval '1 day')
      AT TIME ZONE 'UTC'
    ELSE (date_trunc('month', p_time AT TIME ZONE 'UTC') + interval '1 month')
      AT TIME ZONE 'UTC' END
$$;
