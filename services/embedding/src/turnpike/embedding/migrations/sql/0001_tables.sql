-- Documents that belong together: they share a language and a model.
CREATE TABLE collections (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  -- The text search configuration that its words are reduced with, e.g. `english`.
  language text NOT NULL,
  -- The key of the model whose vectors are searched.
  model text NOT NULL,
  -- How large chunks may be, in tokens (0: what the model takes), and how many they share.
  max_tokens integer NOT NULL DEFAULT 0,
  overlap integer NOT NULL DEFAULT 0,
  metadata jsonb NOT NULL DEFAULT '{}',
  etag text NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, name)
);

-- What each tenant keeps, for its limits: raised and lowered with every write.
CREATE TABLE holdings (
  tenant uuid PRIMARY KEY,
  documents bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0
);

-- Folders, also empty ones. The root, `/`, is always there, and has no row.
CREATE TABLE folders (
  tenant uuid NOT NULL,
  collection uuid NOT NULL,
  -- `/reports/2026`.
  path text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant, collection, path),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, id) ON DELETE CASCADE
);

-- What documents are made of, once for each tenant, however many revisions have it.
CREATE TABLE contents (
  tenant uuid NOT NULL,
  -- SHA-256 of the media type, a zero byte, and the original's bytes.
  digest bytea NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  -- The original's key in the blob store. Empty: the text itself is the original.
  blob text NOT NULL,
  -- Nothing until it was extracted.
  text text,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, digest)
);

-- Documents as they are now. What they were is in `revisions`.
CREATE TABLE documents (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  collection uuid NOT NULL,
  -- `/reports/2026/june.md`. Nothing: it is deleted.
  path text COLLATE "C",
  -- Of the newest revision.
  number bigint NOT NULL,
  title text NOT NULL,
  media_type text NOT NULL,
  metadata jsonb NOT NULL,
  content bytea NOT NULL,
  -- What searches find of it: the newest revision that is ready, else one before.
  indexing uuid,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  updated timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, collection, path),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, id) ON DELETE CASCADE
);

CREATE INDEX documents_by_update ON documents (tenant, collection, updated DESC)
  WHERE path IS NOT NULL;

-- Who changed what: one row for each action, in their order.
CREATE TABLE changes (
  tenant uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  collection uuid NOT NULL,
  kind text NOT NULL,
  principal text NOT NULL,
  -- The turn that it was made in, if an agent made it.
  turn uuid,
  -- The same key asks for the same change: it is made once.
  request text COLLATE "C" NOT NULL DEFAULT '',
  -- Of what was asked for under that key.
  request_digest bytea NOT NULL DEFAULT '',
  -- The change that this one took back.
  reverts bigint,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, id),
  FOREIGN KEY (tenant, collection) REFERENCES collections (tenant, id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX changes_asked ON changes (tenant, request) WHERE request <> '';
CREATE INDEX changes_of_turn ON changes (tenant, turn, id) WHERE turn IS NOT NULL;

-- What documents were after each change, whole. Never updated.
CREATE TABLE revisions (
  tenant uuid NOT NULL,
  document uuid NOT NULL,
  -- 1 is the first.
  number bigint NOT NULL,
  change bigint NOT NULL,
  -- The number of the revision whose state this is: its own, or the one that was restored;
  -- 0 where a document was made unmade.
  version bigint NOT NULL,
  path text COLLATE "C",
  title text NOT NULL,
  media_type text NOT NULL,
  metadata jsonb NOT NULL,
  content bytea NOT NULL,
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  PRIMARY KEY (tenant, document, number),
  FOREIGN KEY (tenant, document) REFERENCES documents (tenant, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant, change) REFERENCES changes (tenant, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant, content) REFERENCES contents (tenant, digest)
);

CREATE INDEX revisions_of_change ON revisions (tenant, change);
CREATE INDEX revisions_of_content ON revisions (tenant, content);

-- Folders that a change made or removed.
CREATE TABLE folder_changes (
  tenant uuid NOT NULL,
  change bigint NOT NULL,
  path text COLLATE "C" NOT NULL,
  -- Whether the change made it.
  made boolean NOT NULL,
  PRIMARY KEY (tenant, change, path),
  FOREIGN KEY (tenant, change) REFERENCES changes (tenant, id) ON DELETE CASCADE
);

-- What one content of a document became under one recipe: chunks with vectors. At first
-- it is a job, which a replica claims for a while; a claim that ran out is anybody's.
CREATE TABLE indexings (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  collection uuid NOT NULL,
  document uuid NOT NULL,
  content bytea NOT NULL,
  -- How it is divided: the same recipe divides the same text into the same chunks.
  recipe text NOT NULL,
  model text NOT NULL,
  state text NOT NULL DEFAULT 'QUEUED' CHECK (
    state IN ('QUEUED', 'EXTRACTING', 'CHUNKING', 'EMBEDDING', 'READY', 'FAILED')),
  -- Chunks that have a vector, of all; and those that had to be embedded for it.
  done integer NOT NULL DEFAULT 0,
  total integer NOT NULL DEFAULT 0,
  embedded integer NOT NULL DEFAULT 0,
  -- Why it failed: a code, and a sentence.
  reason text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',
  -- The claim: every write of it names the fence, and is refused when it is another's.
  fence bigint NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  -- When it may be claimed: while it is claimed, when the claim runs out.
  due_at timestamptz NOT NULL DEFAULT statement_timestamp(),
  created timestamptz NOT NULL DEFAULT statement_timestamp(),
  finished timestamptz,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, document, content, recipe, model),
  FOREIGN KEY (tenant, document) REFERENCES documents (tenant, id) ON DELETE CASCADE
);

CREATE INDEX indexings_open ON indexings (tenant, due_at) WHERE state NOT IN ('READY', 'FAILED');

-- Vectors, and the words that they stand for: one row for each text in a document, however
-- many of its revisions have it.
CREATE TABLE chunks (
  tenant uuid NOT NULL,
  id uuid NOT NULL,
  collection uuid NOT NULL,
  document uuid NOT NULL,
  model text NOT NULL,
  -- The embedder's key of what was embedded: headings, header and text.
  digest bytea NOT NULL,
  -- The headings above it, outermost first.
  headings text[] NOT NULL,
  -- The header of the table that it continues.
  header text NOT NULL,
  text text NOT NULL,
  tokens integer NOT NULL,
  embedding vector NOT NULL,
  -- Headings, header and text, by the collection's language.
  terms tsvector NOT NULL,
  -- Whether searches find it: it is in its document's present indexing.
  live boolean NOT NULL DEFAULT false,
  PRIMARY KEY (tenant, id),
  UNIQUE (tenant, document, model, digest),
  FOREIGN KEY (tenant, document) REFERENCES documents (tenant, id) ON DELETE CASCADE
);

CREATE INDEX chunks_known ON chunks (tenant, model, digest);
CREATE INDEX chunks_live ON chunks (tenant, model, collection) WHERE live;
CREATE INDEX chunks_terms ON chunks USING gin (terms) WHERE live;

-- Where an indexing's chunks are in its text.
CREATE TABLE passages (
  tenant uuid NOT NULL,
  indexing uuid NOT NULL,
  position integer NOT NULL,
  chunk uuid NOT NULL,
  -- In characters from 0, `ends` exclusive.
  starts integer NOT NULL,
  ends integer NOT NULL,
  -- From 1, both inclusive.
  first_line integer NOT NULL,
  last_line integer NOT NULL,
  PRIMARY KEY (tenant, indexing, position),
  FOREIGN KEY (tenant, indexing) REFERENCES indexings (tenant, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant, chunk) REFERENCES chunks (tenant, id) ON DELETE CASCADE
);

CREATE INDEX passages_of_chunk ON passages (tenant, chunk);
