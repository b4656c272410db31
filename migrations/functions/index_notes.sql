-- Rows are made of it: a change, also of what it calls, comes with a migration that makes them anew.
create or replace function frontdesk.index_notes(org uuid, changed uuid[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  said text[];
begin
  with indexed as (
    insert into note_search as s (org_id, id, contact_id, terms)
    select org, n.id, n.contact_id, array_to_tsvector(frontdesk.words(frontdesk.fold(left(n.content, 100000))))
      from notes n
     where n.org_id = org and n.id = any (changed)
     order by n.id
    on conflict (org_id, id) do update
      set contact_id = excluded.contact_id, terms = excluded.terms
      where (s.contact_id, s.terms) is distinct from (excluded.contact_id, excluded.terms)
    returning terms
  )
  select array_agg(distinct word) into said from indexed cross join lateral unnest(tsvector_to_array(terms)) word;
  perform frontdesk.learn_words(org, said);
end $$;
comment on function frontdesk.index_notes(uuid, uuid[]) is 'Makes the search words of these notes anew.';
