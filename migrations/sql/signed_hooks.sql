-- Platforms that sign what they push with the page's own token, instead of telling a secret of ours. The web process reads no token but
-- through this: of a page that is pushed for in this way, its own, and only while nobody is signed in.
ALTER TABLE page_hook ADD COLUMN signed BOOLEAN DEFAULT false NOT NULL;
CREATE FUNCTION otklik_signers(of_platform text, of_page text) RETURNS TABLE (page_id bigint, sealed bytea) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT h.page_id, c.secret FROM page_hook h
  JOIN page g ON g.id = h.page_id
  JOIN credential c ON c.platform = g.platform AND c.revoked_at IS NULL
    AND (c.page_id = g.id OR c.page_id IS NULL AND CAST(c.id AS text) = g.options ->> 'credential_key')
  WHERE otklik_operator() IS NULL AND g.platform = of_platform AND g.external_id = of_page AND g.active AND h.signed AND h.revoked_at IS NULL
$$;
REVOKE ALL ON FUNCTION otklik_signers(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_signers(text, text) TO otklik_web;
