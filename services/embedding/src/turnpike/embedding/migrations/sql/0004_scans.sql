-- Vectors stay in their rows, and long texts go elsewhere: a scan that compares every vector
-- would look each of them up one by one.
ALTER TABLE chunks ALTER COLUMN embedding SET STORAGE MAIN;

-- Words by tenant: what a word of one tenant costs does not grow with what the others have.
-- No search could use the one of all tenants.
DROP INDEX chunks_terms;
CREATE INDEX chunks_words ON chunks USING gin ((ARRAY[tenant]), terms) WHERE live;

-- Row-level security lets nothing but comparisons that leak nothing use an index, and a match
-- of words is no such. So one function sees all chunks, as the schema's owner, and compares
-- the tenant itself.
CREATE POLICY searched ON chunks FOR SELECT TO CURRENT_USER USING (true);

-- The chunks of the transaction's tenant that words match, with how well they fit: of
-- collections, and in each those of its model. Questions
-- have more words than their answers share: what has all of them is looked at, and of what
-- has one of them, so much for each word that `ranked` are compared in all. Frequent words say
-- little, and whatever has one would be ranked for long; of many words the longest are taken,
-- which are seldom frequent.
CREATE FUNCTION chunks_with(
  language regconfig, words text, collections uuid[], models text[], documents uuid[],
  ranked bigint, most bigint)
RETURNS TABLE (id uuid, fit real)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT ROWS 50 AS $$
DECLARE
  mine uuid := nullif(current_setting('turnpike.tenant', true), '')::uuid;
  asked tsquery := websearch_to_tsquery(language, words);
  wanted tsquery := any_word(language, words);
  parts tsquery[] := ARRAY[asked];
BEGIN
  IF numnode(asked) = 0 OR mine IS NULL THEN
    RETURN;
  END IF;
  -- What is to be absent is only found whole.
  IF asked <> wanted THEN
    parts := parts || ARRAY(
      SELECT part::tsquery FROM unnest(string_to_array(wanted::text, ' | ')) AS part
      ORDER BY length(part) DESC, part LIMIT 8);
  END IF;
  RETURN QUERY EXECUTE $sql$
    SELECT m.id, min(m.fit) AS fit FROM unnest($3) AS p(part) CROSS JOIN LATERAL (
      SELECT c.id, ts_rank(c.terms, $2, 1) AS fit FROM chunks c
      WHERE c.live AND ARRAY[c.tenant] @> ARRAY[$1] AND c.terms @@ p.part
        AND c.model = $5[array_position($4, c.collection)]
        AND ($6 IS NULL OR c.document = ANY($6))
      LIMIT greatest($7 / cardinality($3), $8)) m
    GROUP BY m.id ORDER BY fit DESC, m.id LIMIT $8
  $sql$ USING mine, wanted, parts, collections, models, documents, ranked, most;
END $$;
