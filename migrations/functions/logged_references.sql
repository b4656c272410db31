-- The references between tables with a row log.
create or replace function frontdesk.logged_references() returns table (table_name text, column_name text, target text)
  language sql stable set search_path = pg_catalog as $$
  select f.relname::text, a.attname::text, t.relname::text
    from pg_constraint c
    join pg_class f on f.oid = c.conrelid
    join pg_class t on t.oid = c.confrelid
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
   where c.contype = 'f' and array_length(c.conkey, 1) = 2
     and (select count(*) from pg_trigger g where g.tgname = 'log_row' and g.tgrelid in (c.conrelid, c.confrelid))
         = case when c.conrelid = c.confrelid then 1 else 2 end
$$;
