-- Gives a table its row log, with the schema version that its columns have now.
create or replace function frontdesk.log_rows(tbl regclass, unlogged text, subject text, part_of text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('create or replace trigger log_row after insert or update or delete on %s for each row '
                 'execute function frontdesk.log_row(%L, %L, %L, %L, %L)',
                 tbl, (select relname from pg_class where oid = tbl), unlogged, subject, frontdesk.schema_version(tbl),
                 part_of);
end $$;
