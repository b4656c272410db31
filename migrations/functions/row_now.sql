-- A row as it is now, locked; null if there is none.
create or replace function frontdesk.row_now(target text, target_id uuid) returns jsonb
  language plpgsql set search_path = pg_catalog, public as $$
declare
  found jsonb;
begin
  execute format('select to_jsonb(t) from public.%I t where org_id = $1 and id = $2 for update', target)
    into found using frontdesk.org_id(), target_id;
  return found;
end $$;
