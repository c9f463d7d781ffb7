-- Words are kept in their rows, as vectors are: to see how well a chunk fits, its words are
-- looked at, and each that was kept elsewhere was two look-ups more.
ALTER TABLE chunks ALTER COLUMN terms SET STORAGE MAIN;

-- A tenant's words as numbers that no other tenant's words have.
CREATE FUNCTION words_of(tenant uuid, words text[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN (
  SELECT array_agg(hashtextextended(word COLLATE "C", uuid_hash_extended(tenant, 0)))
  FROM unnest(words) AS word
);

-- One look-up for a word of one tenant: to look up tenant and word apart, and to keep what both
-- have, took as long as the tenant is large.
DROP INDEX chunks_words;
CREATE INDEX chunks_words ON chunks USING gin (words_of(tenant, tsvector_to_array(terms)))
  WHERE live;

-- The words that a part of a query is made of, as they are written in it: in quotes, in which
-- quotes and backslashes are doubled.
CREATE FUNCTION words_in(part text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
  SELECT replace(replace(word[1], '''''', ''''), '\\', '\')
  FROM regexp_matches(part, '''((?:[^'']|'''')*)''', 'g') AS word
);

-- The chunks of the transaction's tenant that words match, with how well they fit: of
-- collections, and in each those of its model, or of any where that is null. Questions
-- have more words than their answers share: what has all of them is looked at, and of what
-- has one of them, so much for each word that `ranked` are compared in all. The rarest come
-- first. Frequent words say little, and take long to look up: when `most` chunks are found
-- without them, they are left out. Which are frequent is known since the table was last
-- analyzed; of many words the longest are taken, which are seldom frequent.
CREATE OR REPLACE FUNCTION chunks_with(
  language regconfig, words text, collections uuid[], models text[], documents uuid[],
  ranked bigint, most bigint)
RETURNS TABLE (id uuid, fit real)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
ROWS 50 AS $$
#variable_conflict use_column
DECLARE
  frequent constant real := 2000;  -- chunks
  mine uuid := nullif(current_setting('turnpike.tenant', true), '')::uuid;
  asked tsquery := websearch_to_tsquery(language, words);
  wanted tsquery := any_word(language, words);
  excludes boolean := asked::text LIKE '%!%';
  named text := querytree(asked);  -- without what is to be absent
  parts text[] := '{}';
  part record;
  these uuid[];
  fits real[];
  ids uuid[] := '{}';
  all_fits real[] := '{}';
BEGIN
  IF mine IS NULL OR named IN ('', 'T') THEN
    RETURN;
  END IF;
  IF named NOT LIKE '% | %' THEN
    parts := ARRAY[named];
  END IF;
  -- What is to be absent is only found whole.
  IF NOT excludes AND asked <> wanted OR cardinality(parts) = 0 THEN
    parts := parts || ARRAY(
      SELECT p FROM unnest(CASE WHEN excludes
        THEN ARRAY(SELECT quote_literal(word) FROM unnest(words_in(named)) AS word)
        ELSE string_to_array(wanted::text, ' | ') END) AS p
      ORDER BY length(p) DESC, p LIMIT 8);
  END IF;
  FOR part IN
    WITH known AS MATERIALIZED (
      SELECT most_common_elems::text::bigint[] AS hashes, most_common_elem_freqs AS shares,
        c.reltuples AS chunks
      FROM pg_stats JOIN pg_class c ON c.oid = 'chunks_words'::regclass
      WHERE schemaname = current_schema() AND tablename = 'chunks_words'
    ), looked_up AS (
      SELECT p.text, p.place, words_of(mine, words_in(p.text)) AS hashes
      FROM unnest(parts) WITH ORDINALITY AS p(text, place)
    )
    SELECT l.text, l.place, l.hashes, coalesce((
      SELECT min(coalesce(k.shares[array_position(k.hashes, hash)], 0) * k.chunks)
      FROM known k CROSS JOIN unnest(l.hashes) AS hash
    ), 0) AS chunks
    FROM looked_up l ORDER BY l.place > 1, chunks, l.place
  LOOP
    EXIT WHEN part.place > 1 AND part.chunks > frequent
      AND (SELECT count(DISTINCT f) FROM unnest(ids) AS f) >= most;
    SELECT array_agg(m.id), array_agg(m.fit) INTO these, fits FROM (
      SELECT c.id, ts_rank(c.terms, wanted, 1) AS fit FROM (
        -- By no other index: the words of every row would be made anew.
        SELECT * FROM chunks c WHERE c.live
          AND words_of(c.tenant, tsvector_to_array(c.terms)) @> part.hashes OFFSET 0) c
      WHERE c.tenant = mine AND c.collection = ANY(collections)
        AND coalesce(c.model = models[array_position(collections, c.collection)], true)
        AND (documents IS NULL OR c.document = ANY(documents))
        AND CASE WHEN excludes THEN c.terms @@ asked
          WHEN part.text LIKE '%<%' THEN c.terms @@ part.text::tsquery ELSE true END
      LIMIT greatest(ranked / cardinality(parts), most)) m;
    ids := ids || these;
    all_fits := all_fits || fits;
  END LOOP;
  RETURN QUERY SELECT f.id, min(f.fit) AS fit FROM unnest(ids, all_fits) AS f(id, fit)
    GROUP BY f.id ORDER BY fit DESC, f.id LIMIT most;
END $$;
