-- What bans can name of a principal: itself, its e-mail address, and the address'
-- domain with every domain above it. So that a ban is found by equality, in an index.
CREATE FUNCTION ban_subjects(p_id uuid, p_email text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY['principal:' || p_id] || CASE WHEN p_email IS NULL THEN '{}'::text[] ELSE
    ARRAY['email:' || p_email] || (
      SELECT array_agg('domain:' || array_to_string(labels[n:], '.'))
      FROM string_to_array(substring(p_email from '[^@]*$'), '.') AS labels,
        generate_subscripts(labels, 1) AS n) END
$$;

ALTER TABLE principals
  ADD COLUMN kind text NOT NULL DEFAULT 'service' CHECK (kind IN ('person', 'service')),
  -- In lower case, its domain as DNS has it; verified by the issuer.
  ADD COLUMN email text,
  -- Who vouches for a person (the `iss` of its tokens), and as whom.
  ADD COLUMN issuer text,
  ADD COLUMN subject text,
  -- How often its role or standing has changed: tokens of an earlier one are refused.
  ADD COLUMN generation bigint NOT NULL DEFAULT 0,
  ADD COLUMN removed timestamptz,
  ADD CONSTRAINT person_has_issuer CHECK ((issuer IS NULL) = (subject IS NULL));
ALTER TABLE principals ADD COLUMN subjects text[] NOT NULL
  GENERATED ALWAYS AS (ban_subjects(id, email)) STORED;
CREATE UNIQUE INDEX principals_of_issuer ON principals (tenant, issuer, subject)
  WHERE issuer IS NOT NULL;
CREATE INDEX principals_by_subject ON principals USING gin (subjects);
CREATE INDEX principals_newest ON principals (tenant, created DESC, id DESC);
CREATE INDEX owners ON principals (tenant) WHERE role = 'owner' AND removed IS NULL;

ALTER TABLE api_keys
  -- Empty: all that the principal's role allows.
  ADD COLUMN scopes text[] NOT NULL DEFAULT '{}'
    CHECK (scopes <@ ARRAY['turns', 'read', 'admin', 'usage']),
  ADD COLUMN rotated timestamptz;

-- Secrets that were rotated away and work for a while yet. They are kept then too:
-- one that an operator still configures as the first key must not come back.
CREATE TABLE retired_secrets (
  hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  tenant uuid NOT NULL,
  key uuid NOT NULL REFERENCES api_keys,
  until timestamptz NOT NULL
);
CREATE INDEX retired_secrets_of_key ON retired_secrets (key);

ALTER TABLE bans
  ALTER COLUMN principal DROP NOT NULL,
  ADD COLUMN kind text NOT NULL DEFAULT 'principal'
    CHECK (kind IN ('principal', 'email', 'domain', 'key')),
  -- Whom it names, unless `principal` does.
  ADD COLUMN value text,
  -- It holds in every tenant; only the first tenant's rows do.
  ADD COLUMN platform boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT ban_has_subject CHECK (value IS NOT NULL OR principal IS NOT NULL);
ALTER TABLE bans ADD COLUMN subject text NOT NULL
  GENERATED ALWAYS AS (kind || ':' || coalesce(value, principal::text)) STORED;
CREATE UNIQUE INDEX bans_of_subject ON bans (tenant, subject, platform);
CREATE INDEX platform_bans ON bans (subject) WHERE platform;

-- Not 0: the principal's tokens of a lower generation are refused, and may be asked
-- for anew.
ALTER TABLE revocations ADD COLUMN generation bigint NOT NULL DEFAULT 0;

-- Whose tokens open a tenant to people.
CREATE TABLE issuers (
  tenant uuid NOT NULL REFERENCES tenants,
  name text NOT NULL,
  issuer text NOT NULL,
  audience text NOT NULL,
  jwks_url text NOT NULL,
  algorithms text[] NOT NULL CHECK (cardinality(algorithms) > 0),
  -- The claims that say who, by what is asked: subject, name, email, role, tenant.
  claims jsonb NOT NULL,
  -- The role that a value of the role claim means.
  roles jsonb NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, name),
  -- A token says these two, and not for which tenant it is.
  UNIQUE (issuer, audience)
);
