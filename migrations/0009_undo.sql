-- The way back: the row log read backwards, by a call of its own.

set lock_timeout = '5s';

-- Which calls an undo took back. A call is undone while an undo of it holds, that is, is not undone itself.
create table undone_calls (
  org_id uuid not null,
  call_id uuid not null,
  undo_call_id uuid not null,
  primary key (org_id, call_id, undo_call_id)
);
create index undone_calls_by_undo on undone_calls (org_id, undo_call_id);
select frontdesk.isolate('undone_calls', 'select, insert');

-- The call that undid this one and is not undone itself; none while this one holds.
create function frontdesk.undone_by(call uuid) returns uuid language plpgsql stable set search_path = pg_catalog, public as $$
declare
  undo uuid;
begin
  for undo in
    select u.undo_call_id from undone_calls u
     where u.org_id = frontdesk.org_id() and u.call_id = call
     order by u.undo_call_id desc
  loop
    if frontdesk.undone_by(undo) is null then
      return undo;
    end if;
  end loop;
  return null;
end $$;

-- How much a call counts for what came later: 0 if it holds, 1 if it is an undo that holds, whose changes and those it took
-- back came to nothing together, and 2 if it is undone itself.
create function frontdesk.settled(call uuid) returns integer language sql stable set search_path = pg_catalog, public as $$
  select case
    when frontdesk.undone_by(call) is not null then 2
    when exists (select 1 from undone_calls u where u.org_id = frontdesk.org_id() and u.undo_call_id = settled.call) then 1
    else 0
  end
$$;

-- What waited when its call was undone is never sent.
alter table errands drop constraint errand_state;
alter table errands add constraint errand_state check (state in ('recorded', 'held', 'done', 'failed', 'withdrawn'));
comment on constraint errand_state on errands is 'An errand is recorded, held, done, failed or withdrawn.';
create index jobs_caused_by on jobs (org_id, caused_by);

create or replace function frontdesk.work_counts() returns table (kind text, state text, number bigint)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select known.kind, known.state, coalesce(found.number, 0)
  from (values
    ('authorizations', 'pending'), ('alerts', 'open'),
    ('errands', 'recorded'), ('errands', 'held'), ('errands', 'done'), ('errands', 'failed'), ('errands', 'withdrawn'),
    ('jobs', 'scheduled'), ('jobs', 'done'), ('jobs', 'failed'), ('jobs', 'dropped')
  ) known (kind, state)
  left join (
    select 'authorizations', a.status, count(*) from authorizations a where a.status = 'pending' group by a.status
    union all
    select 'alerts', 'open', count(*) from alerts l where l.acknowledged_at is null
    union all
    select 'errands', e.state, count(*) from errands e group by e.state
    union all
    select 'jobs', j.state, count(*) from jobs j group by j.state
  ) found (kind, state, number) on (found.kind, found.state) = (known.kind, known.state)
$$;

-- What a table's rows are made of, as a number: lines of the row log carry it, and no undo reaches across a change of it.
-- Lines from before this migration carry 1.
create function frontdesk.schema_version(tbl regclass) returns integer language sql stable set search_path = pg_catalog as $$
  select ('x' || left(md5(string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',' order by attname)), 8))::bit(32)::integer
    from pg_attribute
   where attrelid = tbl and attnum > 0 and not attisdropped and attgenerated = ''
$$;

-- The same as before, with two differences: it carries the schema version, and of a row that comes or goes it leaves out
-- empty columns, but nothing inside a JSON value.
create or replace function frontdesk.log_row() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
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
    (org_id, call_id, at, table_name, row_id, change, old_values, new_values, subject_contact_id, schema_version)
  values
    ((whole ->> 'org_id')::uuid, frontdesk.call_id(), frontdesk.call_time(), tg_argv[0], (whole ->> 'id')::uuid,
     case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
     before, after, (whole ->> nullif(tg_argv[2], ''))::uuid, coalesce(tg_argv[3]::integer, 1));
  return null;
end $$;

create function frontdesk.log_rows(tbl regclass, unlogged text, subject text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('create or replace trigger log_row after insert or update or delete on %s for each row '
                 'execute function frontdesk.log_row(%L, %L, %L, %L)',
                 tbl, (select relname from pg_class where oid = tbl), unlogged, subject, frontdesk.schema_version(tbl));
end $$;

-- A migration that changes the columns of a table with a row log ends with `select frontdesk.columns_changed('…')`: from
-- then on nothing before it can be undone. The schema test asks for it.
create function frontdesk.columns_changed(tbl regclass) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  given text[];
begin
  select string_to_array(encode(tgargs, 'escape'), '\000') into strict given
    from pg_trigger where tgrelid = tbl and tgname = 'log_row';
  perform frontdesk.log_rows(tbl, given[2], given[3]);
end $$;

create or replace function frontdesk.enable_tenant(
  tbl regclass, subject text default '', secret text[] default '{}', derived text[] default '{}'
) returns void language plpgsql set search_path = pg_catalog as $$
begin
  perform frontdesk.isolate(tbl, 'select, insert, update, delete');
  execute format('create trigger touch before update on %s for each row '
                 'execute function frontdesk.touch(%L)', tbl, array_to_string(derived, ','));
  perform frontdesk.log_rows(
    tbl, array_to_string(array['org_id', 'id', 'version', 'updated_at'] || secret || derived, ','), subject);
end $$;

do $$ begin
  perform frontdesk.columns_changed(tgrelid) from pg_trigger where tgname = 'log_row';
end $$;

-- The tables with a row log: their schema version, the columns that are left out of it, and whether nothing else could
-- tell what was in one of those.
create function frontdesk.logged_tables()
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

-- The references between tables with a row log.
create function frontdesk.logged_references() returns table (table_name text, column_name text, target text)
  language sql stable set search_path = pg_catalog as $$
  select f.relname::text, a.attname::text, t.relname::text
    from pg_constraint c
    join pg_class f on f.oid = c.conrelid
    join pg_class t on t.oid = c.confrelid
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
   where c.contype = 'f' and array_length(c.conkey, 1) = 2
     and (select count(*) from pg_trigger g where g.tgname = 'log_row' and g.tgrelid in (c.conrelid, c.confrelid))
         = case when c.conrelid = c.confrelid then 1 else 2 end
$$;

-- A row as it is now, locked; null if there is none.
create function frontdesk.row_now(target text, target_id uuid) returns jsonb
  language plpgsql set search_path = pg_catalog, public as $$
declare
  found jsonb;
begin
  execute format('select to_jsonb(t) from public.%I t where org_id = $1 and id = $2 for update', target)
    into found using frontdesk.org_id(), target_id;
  return found;
end $$;

-- The rows of tables with a row log that refer to these rows.
create function frontdesk.referring(target text, ids uuid[])
  returns table (table_name text, column_name text, row_id uuid, refers_to uuid)
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in select * from frontdesk.logged_references() r where r.target = referring.target order by 1, 2 loop
    return query execute format('select %1$L, %2$L, id, %2$I from public.%1$I where org_id = $1 and %2$I = any ($2)',
                                key.table_name, key.column_name)
      using frontdesk.org_id(), ids;
  end loop;
end $$;

-- A deleted row is there again, with a version it never had before. When rows are deleted along with what they belong to,
-- their lines come after its line, so what it refers to comes back first.
create function frontdesk.bring_back(calls uuid[], target text, line bigint, target_id uuid, was jsonb) returns void
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
                       where l.org_id = frontdesk.org_id() and (l.row_id = target_id or l.subject_contact_id = target_id)));
end $$;

-- Reads the row log of these calls backwards: what was created goes, what was deleted comes back, what was changed is as
-- it was. Each state on the way is one that was there before, so constraints hold line by line.
create function frontdesk.undo_rows(calls uuid[]) returns void
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

-- A change of a part counts up the version of what it is a part of: here for all parts that this call changed.
create function frontdesk.tell_wholes() returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select r.* from frontdesk.logged_references() r
      join pg_constraint c on c.conrelid = format('public.%I', r.table_name)::regclass
                          and c.confrelid = format('public.%I', r.target)::regclass and c.confdeltype = 'c'
     where exists (select 1 from row_log l where l.org_id = frontdesk.org_id() and l.call_id = frontdesk.call_id()
                      and l.table_name = r.table_name)
  loop
    execute format(
      'update public.%1$I set version = version + 1 where org_id = $1 and id in ('
      '  select p.%3$I from public.%2$I p where p.org_id = $1 and p.id in ('
      '    select l.row_id from row_log l where l.org_id = $1 and l.call_id = $2 and l.table_name = %2$L)'
      '  union'
      '  select (l.old_values ->> %3$L)::uuid from row_log l'
      '   where l.org_id = $1 and l.call_id = $2 and l.table_name = %2$L)',
      key.target, key.table_name, key.column_name)
      using frontdesk.org_id(), frontdesk.call_id();
  end loop;
end $$;

-- A part that moves from one contact to another changes how both are found.
create or replace function frontdesk.index_changed_contacts() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  perform frontdesk.index_contact(new.org_id, changed.contact)
     from (
       select distinct side.contact
         from row_log r
        cross join lateral (values (r.subject_contact_id), ((r.old_values ->> 'contact_id')::uuid)) side (contact)
        where r.org_id = new.org_id and r.call_id = new.id and r.subject_contact_id is not null
          and side.contact is not null
     ) changed;
  return null;
end $$;
