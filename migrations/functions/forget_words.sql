create or replace function frontdesk.forget_words(beyond text, at_most integer) returns text
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  org uuid := frontdesk.org_id();
  last text;
begin
  -- Not while somebody learns words: what is looked up there and here must not change between.
  if not pg_try_advisory_xact_lock(hashtextextended('search_words ' || org, 0)) then
    return null;
  end if;
  with looked_at as materialized (
    select w.word from search_words w where w.org_id = org and w.word > beyond collate "C" order by w.word limit at_most
  ), gone as (
    delete from search_words w
     using looked_at l
     where w.org_id = org and w.word = l.word
       and (select true from frontdesk.contact_search s
             where s.org_id = org and s.terms @@ frontdesk.term(l.word) limit 1) is null
       and (select true from frontdesk.note_search s
             where s.org_id = org and s.terms @@ frontdesk.term(l.word) limit 1) is null
  )
  select max(word) into last from looked_at;
  return last;
end $$;
comment on function frontdesk.forget_words(text, integer) is
  'Looks at so many words of the running transaction''s organization that come after this one, removes those that stand in no '
  'contact and no note any more, and tells the last one looked at; null if there is none, or if somebody is busy with them.';
