-- The organization, call and time of the running transaction.
-- `set local` by a utility statement and not set_config(): a sharded database passes on only the former.
create or replace function frontdesk.begin_call(org uuid, call uuid, now timestamptz) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('set local frontdesk.org_id = %L', org);
  execute format('set local frontdesk.call_id = %L', coalesce(call::text, ''));
  execute format('set local frontdesk.now = %L', now);
end $$;
