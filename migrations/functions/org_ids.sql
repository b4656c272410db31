-- The organizations of this installation, oldest first.
create or replace function frontdesk.org_ids() returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
  as $$ select org_id from orgs order by created_at, org_id $$;
comment on function frontdesk.org_ids() is 'The organizations of this installation, oldest first.';
