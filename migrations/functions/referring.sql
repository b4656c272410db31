-- The rows of tables with a row log that refer to these rows.
create or replace function frontdesk.referring(target text, ids uuid[])
  returns table (table_name text, column_name text, row_id uuid, refers_to uuid)
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in select * from frontdesk.logged_references() r where r.target = referring.target order by 1, 2 loop
    return query execute format('select %1$L, %2$L, id, %2$I from public.%1$I where org_id = $1 and %2$I = any ($2)',
                                key.table_name, key.column_name)
      using frontdesk.org_id(), ids;
  end loop;
end $$;
