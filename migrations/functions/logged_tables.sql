-- The tables with a row log: their schema version, the columns that are left out of it, and whether nothing else could
-- tell what was in one of those.
create or replace function frontdesk.logged_tables()
  returns table (table_name text, schema_version integer, unlogged text[], keeps_secrets boolean)
  language sql stable set search_path = pg_catalog as $$
  select c.relname::text, given.arguments[4]::integer, string_to_array(given.arguments[2], ','), exists (
           select 1 from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
              and a.attname = any (string_to_array(given.arguments[2], ','))
              and a.attname not in ('org_id', 'id', 'version', 'updated_at'))
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid and c.relnamespace = 'public'::regnamespace
   cross join lateral (select string_to_array(encode(t.tgargs, 'escape'), '\000') as arguments) given
   where t.tgname = 'log_row'
$$;
