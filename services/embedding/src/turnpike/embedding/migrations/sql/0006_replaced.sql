-- The chunks of the transaction's tenant that words match, with how well they fit: of
-- collections, and in each those of its model, or of any where that is null. Questions
-- have more words than their answers share: what has all of them is looked at, and of what
-- has one of them, so much for each word that `ranked` are compared in all. Frequent words say
-- little, and whatever has one would be ranked for long; of many words the longest are taken,
-- which are seldom frequent.
CREATE OR REPLACE FUNCTION chunks_with(
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
        AND c.collection = ANY($4)
        AND coalesce(c.model = $5[array_position($4, c.collection)], true)
        AND ($6 IS NULL OR c.document = ANY($6))
      LIMIT greatest($7 / cardinality($3), $8)) m
    GROUP BY m.id ORDER BY fit DESC, m.id LIMIT $8
  $sql$ USING mine, wanted, parts, collections, models, documents, ranked, most;
END $$;
