-- What refers to a row: the composite foreign keys of the schema, counted. Cascading ones included. `closed`: how many of the rows
-- do not change any more.
create or replace function frontdesk.referrers(target text, target_id uuid)
  returns table (table_name text, column_name text, cascades boolean, rows bigint, closed bigint)
  language plpgsql stable set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name, c.confdeltype = 'c' as cascades,
           case when frontdesk.closes(c.conrelid) then 'count(closed_at)' else '0::bigint' end as closed
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
     order by 1, 2
  loop
    table_name := key.table_name;
    column_name := key.column_name;
    cascades := key.cascades;
    execute format('select count(*), %s from %s where org_id = $1 and %I = $2', key.closed, key.table_name, key.column_name)
      into rows, closed using frontdesk.org_id(), target_id;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;
