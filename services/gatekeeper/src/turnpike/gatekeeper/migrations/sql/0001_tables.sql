-- A tenant owns its own row: the column that says so is its id.
CREATE TABLE tenants (
  tenant uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL UNIQUE,
  slots integer NOT NULL CHECK (slots > 0),
  -- The first tenant's admins create the others.
  platform boolean NOT NULL DEFAULT false,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- From when to when slots may be held, at most: written before the first is
  -- granted and ahead of the last one's lapse. It tells a Redis that lost its
  -- state from one that never had any; see `admit`.
  active_from timestamptz,
  active_until timestamptz
);
CREATE UNIQUE INDEX one_platform ON tenants (platform) WHERE platform;
CREATE INDEX tenants_newest ON tenants (created DESC, tenant DESC);

CREATE TABLE principals (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant uuid NOT NULL REFERENCES tenants,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (tenant, id)
);

CREATE TABLE api_keys (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  name text NOT NULL,
  -- SHA-256. The key is 256 random bits, so there is nothing to guess and
  -- nothing for a slow hash to slow down.
  hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
  -- The key's first characters, for people to tell theirs by.
  prefix text NOT NULL,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires timestamptz,
  revoked timestamptz,
  last_used timestamptz,
  FOREIGN KEY (tenant, principal) REFERENCES principals (tenant, id)
);
CREATE INDEX api_keys_newest ON api_keys (tenant, created DESC, id DESC);

CREATE TABLE bans (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant uuid NOT NULL,
  principal uuid NOT NULL,
  note text NOT NULL,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires timestamptz,
  UNIQUE (tenant, principal),
  FOREIGN KEY (tenant, principal) REFERENCES principals (tenant, id)
);
CREATE INDEX bans_newest ON bans (tenant, created DESC, id DESC);

CREATE SEQUENCE revocation_ids;
CREATE TABLE revocations (
  -- Given by `number_revocation`, never by whoever inserts.
  id bigint PRIMARY KEY,
  tenant uuid NOT NULL REFERENCES tenants,
  principal uuid NOT NULL,
  -- Null when every key of the principal is meant.
  key uuid,
  revoke_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX revocations_newest ON revocations (revoke_time);

-- What Admit refused, and why: one row per try.
CREATE TABLE refusals (
  tenant uuid NOT NULL,
  turn uuid NOT NULL,
  attempt bigint NOT NULL,
  segment bigint NOT NULL,
  principal uuid NOT NULL,
  reason text NOT NULL,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, turn, attempt, segment)
);
CREATE INDEX refusals_of_principal ON refusals (tenant, principal, created DESC);
CREATE INDEX refusals_oldest ON refusals (created);
