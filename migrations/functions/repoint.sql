-- Makes whatever refers to one row refer to another one of the same table, and tells how many rows of which table that were. The
-- tables in `own` are left alone: parts that the caller moves itself, because some may not be there twice. What is closed keeps
-- what it refers to.
create or replace function frontdesk.repoint(target text, from_id uuid, to_id uuid, own text[])
  returns table (table_name text, rows bigint)
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name,
           case when frontdesk.closes(c.conrelid) then ' and closed_at is null' else '' end as open
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
       and not c.conrelid::regclass::text = any (own)
     order by 1, 2
  loop
    table_name := key.table_name;
    execute format('update %s set %I = $3 where org_id = $1 and %I = $2%s',
                   key.table_name, key.column_name, key.column_name, key.open)
      using frontdesk.org_id(), from_id, to_id;
    get diagnostics rows = row_count;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;
