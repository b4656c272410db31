-- Folded text is what search compares: lower case, without accents and apostrophes.
create or replace function frontdesk.fold(input text) returns text language sql stable parallel safe
  set search_path = pg_catalog, public
  as $$ select translate(lower(unaccent(input)), '''’`', '') $$;
