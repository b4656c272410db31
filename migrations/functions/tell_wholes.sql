-- A change of a part counts up the version of what it is a part of: here for all parts that this call changed. What is closed keeps
-- its version.
create or replace function frontdesk.tell_wholes() returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select r.*,
           case when frontdesk.closes(format('public.%I', r.target)::regclass) then ' and closed_at is null' else '' end as open
      from frontdesk.logged_references() r
      join pg_constraint c on c.conrelid = format('public.%I', r.table_name)::regclass
                          and c.confrelid = format('public.%I', r.target)::regclass and c.confdeltype = 'c'
     where exists (select 1 from row_log l where l.org_id = frontdesk.org_id() and l.call_id = frontdesk.call_id()
                      and l.table_name = r.table_name)
  loop
    execute format(
      'update public.%1$I set version = version + 1 where org_id = $1 and id in ('
      '  select p.%3$I from public.%2$I p where p.org_id = $1 and p.id in ('
      '    select l.row_id from row_log l where l.org_id = $1 and l.call_id = $2 and l.table_name = %2$L)'
      '  union'
      '  select (l.old_values ->> %3$L)::uuid from row_log l'
      '   where l.org_id = $1 and l.call_id = $2 and l.table_name = %2$L)%4$s',
      key.target, key.table_name, key.column_name, key.open)
      using frontdesk.org_id(), frontdesk.call_id();
  end loop;
end $$;
