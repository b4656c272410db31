-- Folded text is what search compares: lower case, without accents and apostrophes.
create or replace function frontdesk.fold(input text) returns text language sql stable parallel safe
  as $$ select translate(lower(public.unaccent('public.unaccent'::regdictionary, input)), '''’`', '') $$;
comment on function frontdesk.fold(text) is
  'Text as search compares it: lower case, without accents and apostrophes.';
