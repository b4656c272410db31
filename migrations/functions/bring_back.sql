-- A deleted row is there again, with a version it never had before: it counts what changed its parts too. When rows are deleted
-- along with what they belong to, their lines come after its line, so what it refers to comes back first.
create or replace function frontdesk.bring_back(calls uuid[], target text, line bigint, target_id uuid, was jsonb) returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
  whole record;
  columns text;
begin
  for key in select r.column_name, r.target from frontdesk.logged_references() r where r.table_name = bring_back.target loop
    select l.id, l.row_id, l.old_values into whole
      from row_log l
     where l.org_id = frontdesk.org_id() and l.row_id = (was ->> key.column_name)::uuid and l.table_name = key.target
       and l.change = 'deleted' and l.call_id = any (calls) and l.id < line
     order by l.id desc
     limit 1;
    if found and frontdesk.row_now(key.target, whole.row_id) is null then
      perform frontdesk.bring_back(calls, key.target, whole.id, whole.row_id, whole.old_values);
    end if;
  end loop;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
    from pg_attribute a
   where a.attrelid = format('public.%I', target)::regclass
     and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format('insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, $1) '
                 'on conflict (org_id, id) do nothing', target, columns)
    using coalesce(was, '{}') || jsonb_build_object(
      'org_id', frontdesk.org_id(), 'id', target_id, 'updated_at', frontdesk.call_time(),
      'version', 1 + (select count(*) from row_log l
                       where l.org_id = frontdesk.org_id()
                         and target_id in (l.row_id, l.subject_contact_id, l.record_id)));
end $$;
