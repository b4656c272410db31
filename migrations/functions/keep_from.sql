create or replace function frontdesk.keep_from(whom text, tbl regclass, columns text[] default array[null]) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  unknown text := (
    select string_agg(said, ', ') from unnest(columns) said
     where said is not null and not exists (
       select 1 from pg_attribute where attrelid = tbl and attname = said and attnum > 0 and not attisdropped));
begin
  if unknown is not null then
    raise exception '% has no column %', tbl, unknown;
  end if;
  insert into frontdesk.kept_from (whom, table_name, column_name)
    select keep_from.whom, (select relname from pg_class where oid = tbl), said from unnest(columns) said;
end $$;
comment on function frontdesk.keep_from(text, regclass, text[]) is
  'Keeps columns of a table from agents or from undo, or all of it from undo.';
