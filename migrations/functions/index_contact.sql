-- The words that a contact is found by: its names, how it is reached, its places, tags and notes.
-- Rows are made of it: a change, also of what it calls, comes with a migration that makes them anew.
create or replace function frontdesk.index_contact(org uuid, contact uuid) returns void
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  insert into contact_search (org_id, id, name, reach, place, words, misspellings)
  select org, contact, t.name, t.reach, t.place, t.tags || t.notes,
         frontdesk.misspellings(t.name || ' ' || t.place || ' ' || t.tags)
    from (
      select frontdesk.fold(c.display_name) as name,
             coalesce((select string_agg(e.email_key, ' ' order by e.position)
                         from contact_emails e where e.org_id = org and e.contact_id = contact), '')
               || coalesce((select ' ' || string_agg(
                                coalesce(ltrim(p.e164, '+') || ' ', '') || regexp_replace(p.phone, '[^0-9]', '', 'g'),
                                ' ' order by p.position)
                         from contact_phones p where p.org_id = org and p.contact_id = contact), '') as reach,
             coalesce((select string_agg(frontdesk.fold(concat_ws(' ', a.label, a.street, a.street2, a.city, a.postal_code)),
                                ' ' order by a.id)
                         from addresses a
                        where a.org_id = org and a.contact_id = contact and a.removed_at is null), '') as place,
             frontdesk.fold(array_to_string(c.tags, ' ')) as tags,
             coalesce((select ' ' || string_agg(frontdesk.fold(n.content), ' ' order by n.id)
                         from notes n where n.org_id = org and n.contact_id = contact), '') as notes
        from contacts c
       where c.org_id = org and c.id = contact
    ) t
  on conflict (org_id, id) do update
    set name = excluded.name, reach = excluded.reach, place = excluded.place, words = excluded.words,
        misspellings = excluded.misspellings;
end $$;
