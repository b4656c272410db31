-- The tags of a contact, a row each, so that contacts are found by one.
create or replace function frontdesk.index_tags() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  delete from contact_tags where org_id = new.org_id and contact_id = new.id and not tag = any (new.tags);
  insert into contact_tags (org_id, contact_id, tag)
    select new.org_id, new.id, tag from unnest(new.tags) tag on conflict do nothing;
  return null;
end $$;
