-- Credentials of authorization servers that take back what they gave, by RFC 7009.
ALTER TABLE credentials
  -- Where, and as which client, sealed. Empty where nothing can be taken back.
  ADD COLUMN revocation text NOT NULL DEFAULT '';

-- What is to be taken back: copies of credentials that are no more, sealed as they were.
CREATE TABLE revocations (
  tenant uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  connector text COLLATE "C" NOT NULL,
  principal text COLLATE "C" NOT NULL,
  revocation text NOT NULL,
  renewable text NOT NULL,
  headers text NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  due timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, id)
);

CREATE INDEX revocations_due ON revocations (due);

-- In the transaction that ends the credential, whichever statement of whichever version does.
CREATE FUNCTION owe_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revocations (tenant, connector, principal, revocation, renewable, headers)
    VALUES (OLD.tenant, OLD.connector, OLD.principal, OLD.revocation, OLD.renewable, OLD.headers);
  IF TG_OP = 'UPDATE' AND NEW.revocation = OLD.revocation THEN
    -- A replica of the version before: what it stored came from who knows where.
    NEW.revocation := '';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER owe_revocation AFTER DELETE ON credentials
  FOR EACH ROW WHEN (OLD.revocation <> '') EXECUTE FUNCTION owe_revocation();
CREATE TRIGGER replace_revocation BEFORE UPDATE ON credentials
  FOR EACH ROW WHEN (OLD.revocation <> '' AND OLD.version <> NEW.version)
  EXECUTE FUNCTION owe_revocation();
