-- How many bytes of files each tenant has, for the bound on them. Triggers count, so that
-- replicas of the version before are counted too.
CREATE TABLE stored_bytes (
  tenant uuid PRIMARY KEY,
  bytes bigint NOT NULL
);

-- Whoever adds holds the tenant's row until the end of the transaction: what it then reads there is
-- exact, and of two who would both be beyond the bound the second one sees the first.
CREATE FUNCTION count_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO stored_bytes AS s (tenant, bytes) VALUES (NEW.tenant, NEW.size)
    ON CONFLICT (tenant) DO UPDATE SET bytes = s.bytes + excluded.bytes;
  RETURN NULL;
END $$;
CREATE TRIGGER count_stored AFTER INSERT ON files
  FOR EACH ROW EXECUTE FUNCTION count_stored();

CREATE FUNCTION recount_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE stored_bytes SET bytes = bytes + NEW.size - OLD.size WHERE tenant = NEW.tenant;
  RETURN NULL;
END $$;
CREATE TRIGGER recount_stored AFTER UPDATE ON files
  FOR EACH ROW WHEN (OLD.size <> NEW.size) EXECUTE FUNCTION recount_stored();

CREATE FUNCTION uncount_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- In order: two sweeps that delete of the same tenants wait for each other, and no more.
  PERFORM FROM stored_bytes s WHERE s.tenant IN (SELECT g.tenant FROM gone g)
    ORDER BY s.tenant FOR UPDATE;
  UPDATE stored_bytes s SET bytes = s.bytes - g.size
    FROM (SELECT tenant, sum(size) AS size FROM gone GROUP BY tenant) g
    WHERE s.tenant = g.tenant;
  RETURN NULL;
END $$;
CREATE TRIGGER uncount_stored AFTER DELETE ON files
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION uncount_stored();

-- Its owner may count what is there already.
ALTER TABLE files NO FORCE ROW LEVEL SECURITY;
INSERT INTO stored_bytes SELECT tenant, sum(size) FROM files GROUP BY tenant;
ALTER TABLE files FORCE ROW LEVEL SECURITY;
