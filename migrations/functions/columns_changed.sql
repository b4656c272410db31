-- A migration that changes the columns of a table with a row log ends with `select frontdesk.columns_changed('…')`: from then
-- on nothing before it can be undone. The schema test asks for it.
create or replace function frontdesk.columns_changed(tbl regclass) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  given text[];
begin
  select string_to_array(encode(tgargs, 'escape'), '\000') into strict given
    from pg_trigger where tgrelid = tbl and tgname = 'log_row';
  perform frontdesk.log_rows(tbl, given[2], given[3], coalesce(given[5], ''));
end $$;
