-- Reads the row log of these calls backwards: what was created goes, what was deleted comes back, what was changed is as
-- it was. Each state on the way is one that was there before, so constraints hold line by line.
create or replace function frontdesk.undo_rows(calls uuid[]) returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  line record;
  columns text;
begin
  for line in
    select r.id, r.table_name, r.row_id, r.change, r.old_values
      from row_log r
     where r.org_id = frontdesk.org_id() and r.call_id = any (calls)
     order by r.id desc
  loop
    if line.change = 'created' then
      execute format('delete from public.%I where org_id = $1 and id = $2', line.table_name)
        using frontdesk.org_id(), line.row_id;
    elsif line.change = 'deleted' then
      perform frontdesk.bring_back(calls, line.table_name, line.id, line.row_id, line.old_values);
    else
      select string_agg(quote_ident(key), ', ') into columns from jsonb_object_keys(line.old_values) key;
      execute format('update public.%1$I set (%2$s) = (select %2$s from jsonb_populate_record(null::public.%1$I, $1)) '
                     'where org_id = $2 and id = $3', line.table_name, columns)
        using line.old_values, frontdesk.org_id(), line.row_id;
    end if;
  end loop;
  perform frontdesk.tell_wholes();
end $$;
