-- Writes a line of the row log for each row changed, and refuses a change outside a call. What runs for each row keeps its plan.
-- Of a row that comes or goes it leaves out empty columns, but nothing inside a JSON value.
-- Arguments: the table's name, the columns that are not logged (derived or secret), the column naming the contact whose history the
-- change belongs to ('' for none), the schema version of the table, the column naming the record that the row is a part of ('' for
-- none).
create or replace function frontdesk.log_row() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  unlogged text[] := string_to_array(tg_argv[1], ',');
  before jsonb;
  after jsonb;
  whole jsonb;
begin
  if frontdesk.call_id() is null then
    raise exception 'rows change only inside a call (% on %)', lower(tg_op), tg_argv[0];
  end if;
  if tg_op = 'INSERT' then
    whole := to_jsonb(new);
    select jsonb_object_agg(n.key, n.value) into after from jsonb_each(whole - unlogged) n where n.value <> 'null';
  elsif tg_op = 'DELETE' then
    whole := to_jsonb(old);
    select jsonb_object_agg(o.key, o.value) into before from jsonb_each(whole - unlogged) o where o.value <> 'null';
  else
    whole := to_jsonb(new);
    select jsonb_object_agg(n.key, o.value), jsonb_object_agg(n.key, n.value)
      into before, after
      from jsonb_each(whole - unlogged) n
      join jsonb_each(to_jsonb(old) - unlogged) o on o.key = n.key
     where o.value is distinct from n.value;
    if after is null then
      return null;
    end if;
  end if;
  insert into public.row_log
    (org_id, call_id, at, table_name, row_id, change, old_values, new_values, subject_contact_id, schema_version, record_id)
  values
    ((whole ->> 'org_id')::uuid, frontdesk.call_id(), frontdesk.call_time(), tg_argv[0], (whole ->> 'id')::uuid,
     case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
     before, after, (whole ->> nullif(tg_argv[2], ''))::uuid, coalesce(tg_argv[3]::integer, 1),
     (whole ->> nullif(tg_argv[4], ''))::uuid);
  return null;
end $$;
