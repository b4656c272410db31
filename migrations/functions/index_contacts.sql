-- Rows are made of it: a change, also of what it calls, comes with a migration that makes them anew.
create or replace function frontdesk.index_contacts(org uuid, changed uuid[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  said text[];
begin
  with indexed as (
    insert into contact_search as s (org_id, id, name, reach, place, tags, archived, terms)
    select org, c.id, t.name, t.reach, t.place, t.tags, c.archived_at is not null,
           -- Words of the name stand there once more, with a mark.
           array_to_tsvector(frontdesk.words(t.name || ' ' || t.place || ' ' || t.tags) || frontdesk.words_of_reach(t.reach)
             || array_remove(string_to_array('=' || array_to_string(frontdesk.words(t.name), ' ='), ' '), '='))
      from contacts c
     cross join lateral (
       select frontdesk.fold(c.display_name) as name,
              concat_ws(' ',
                (select string_agg(e.email_key, ' ' order by e.position)
                   from contact_emails e where e.org_id = org and e.contact_id = c.id),
                (select string_agg(concat_ws(' ', ltrim(p.e164, '+'), regexp_replace(p.phone, '[^0-9]', '', 'g')), ' '
                                   order by p.position)
                   from contact_phones p where p.org_id = org and p.contact_id = c.id)) as reach,
              coalesce((select string_agg(frontdesk.fold(concat_ws(' ', a.label, a.street, a.street2, a.city, a.postal_code)),
                                 ' ' order by a.id)
                          from addresses a
                         where a.org_id = org and a.contact_id = c.id and a.removed_at is null), '') as place,
              frontdesk.fold(array_to_string(c.tags, ' ')) as tags
       offset 0
     ) t
     where c.org_id = org and c.id = any (changed)
     order by c.id
    on conflict (org_id, id) do update
      set name = excluded.name, reach = excluded.reach, place = excluded.place, tags = excluded.tags,
          archived = excluded.archived, terms = excluded.terms
      where (s.name, s.reach, s.place, s.tags, s.archived, s.terms)
            is distinct from (excluded.name, excluded.reach, excluded.place, excluded.tags, excluded.archived, excluded.terms)
    returning terms
  )
  select array_agg(distinct word) into said from indexed cross join lateral unnest(tsvector_to_array(terms)) word;
  perform frontdesk.learn_words(org, said);
end $$;
comment on function frontdesk.index_contacts(uuid, uuid[]) is
  'Makes the search text of these contacts anew, without their notes, which have rows of their own. In the order of their '
  'ids, so that two calls that end at the same time do not wait for each other in a circle.';
