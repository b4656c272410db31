-- Everything a business table needs: isolation, version counting, the row log.
-- subject: the column naming the contact whose history a change belongs to. secret: columns never logged. derived: columns computed
-- from others, not logged either. part_of: the column naming the record that a row is a part of.
create or replace function frontdesk.enable_tenant(
  tbl regclass, subject text default '', secret text[] default '{}', derived text[] default '{}', part_of text default ''
) returns void language plpgsql set search_path = pg_catalog as $$
begin
  perform frontdesk.isolate(tbl, 'select, insert, update, delete');
  execute format('create trigger touch before update on %s for each row '
                 'execute function frontdesk.touch(%L)', tbl, array_to_string(derived, ','));
  perform frontdesk.log_rows(
    tbl, array_to_string(array['org_id', 'id', 'version', 'updated_at'] || secret || derived, ','), subject, part_of);
end $$;
