-- Row level security for one table. The tenant's policy is a plain function, without sub-selects, so that it
-- can move to a sharded database; the owner's own policy lets migrations and the search views through.
create or replace function frontdesk.isolate(tbl regclass, rights text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy tenant on %s to frontdesk_app using (org_id = frontdesk.org_id()) '
                 'with check (org_id = frontdesk.org_id())', tbl);
  execute format('create policy owner_all on %s to %I using (true) with check (true)', tbl, current_user);
  execute format('grant %s on %s to frontdesk_app', rights, tbl);
end $$;
