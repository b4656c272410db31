-- Whether rows of this table do not change any more once their `closed_at` is set: they keep what they refer to.
create or replace function frontdesk.closes(tbl regclass) returns boolean language sql stable set search_path = pg_catalog
  as $$ select exists (select 1 from pg_attribute where attrelid = tbl and attname = 'closed_at' and not attisdropped) $$;
