-- What a table's rows are made of, as a number: lines of the row log carry it, and no undo reaches across a change of it. Lines from
-- before there was one carry 1.
create or replace function frontdesk.schema_version(tbl regclass) returns integer language sql stable set search_path = pg_catalog as $$
  select ('x' || left(md5(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',' order by attname)), 8))::bit(32)::integer
    from pg_attribute
   where attrelid = tbl and attnum > 0 and not attisdropped and attgenerated = ''
$$;
