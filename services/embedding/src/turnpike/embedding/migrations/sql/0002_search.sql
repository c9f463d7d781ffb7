-- What a question's words match: any of them, since questions have more words than their
-- answers share; but all that is asked where something is to be absent.
CREATE FUNCTION any_word(language regconfig, words text) RETURNS tsquery
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
  SELECT CASE WHEN asked::text LIKE '%!%' THEN asked
    ELSE replace(asked::text, ' & ', ' | ')::tsquery END
  FROM websearch_to_tsquery(language, words) AS asked
);
