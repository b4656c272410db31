-- Rows are made of it: a change, also of what it calls, comes with a migration that makes them anew.
create or replace function frontdesk.learn_words(org uuid, said text[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  -- So that none of them is forgotten meanwhile.
  perform pg_advisory_xact_lock_shared(hashtextextended('search_words ' || org, 0));
  -- In one order, so that two calls that learn the same words at the same time do not wait for each other in a circle.
  insert into search_words (org_id, word, misspellings)
  select org, heard.word, frontdesk.misspellings(heard.word)
    from (select word collate "C" as word from unnest(said) word where word !~ '[0-9=<@]') heard
   -- One look at the key for each, however few words there were when this was planned.
   where (select true from search_words known where known.org_id = org and known.word = heard.word) is null
   order by heard.word
  on conflict do nothing;
end $$;
comment on function frontdesk.learn_words(uuid, text[]) is
  'Adds those of these words to the organization''s list that can be misspelt: numbers and addresses are right or wrong.';
