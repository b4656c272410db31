-- The ground everything stands on: tenancy by row level security, the two audit logs, and what a Call leaves
-- beside its rows.
--
-- Runs as the owner. The service logs in as frontdesk_app, which owns nothing. A business table is made
-- with `create table` followed by `select frontdesk.enable_tenant(…)`, which gives it everything a table
-- of tenants needs; the schema test asks pg_catalog that none was forgotten.

set lock_timeout = '5s';

create schema if not exists frontdesk;
create extension if not exists pg_trgm;
create extension if not exists btree_gin;
create extension if not exists unaccent;

grant usage on schema frontdesk to frontdesk_app;

-- The organization, call and time of the running transaction

-- nullif: after a transaction that set it, a setting is the empty string, not null. An unset
-- organization therefore matches no row: isolation fails closed.
create function frontdesk.org_id() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.org_id', true), '')::uuid $$;

create function frontdesk.call_id() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.call_id', true), '')::uuid $$;

create function frontdesk.call_time() returns timestamptz language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.now', true), '')::timestamptz $$;

-- `set local` by a utility statement and not set_config(): a sharded database passes on only the former.
create function frontdesk.begin_call(org uuid, call uuid, now timestamptz) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('set local frontdesk.org_id = %L', org);
  execute format('set local frontdesk.call_id = %L', coalesce(call::text, ''));
  execute format('set local frontdesk.now = %L', now);
end $$;

-- Audit

-- One row per Call: who, by which door, what was asked, how it ended. Append-only for the service.
create table call_log (
  org_id uuid not null,
  id uuid not null,
  at timestamptz not null,
  caller_kind text not null,
  caller_id uuid,
  caller_name text not null,
  door text not null,
  client text,
  action text not null,
  input jsonb,
  reasoning text,
  outcome text not null,
  error_code text,
  problems jsonb,
  reasons jsonb,
  caused_by uuid,
  traceparent text,
  primary key (org_id, id),
  constraint call_caller_kind check (caller_kind in ('agent', 'user', 'system')),
  constraint call_outcome check (outcome in ('done', 'refused', 'failed'))
);
create index call_log_caller on call_log (org_id, caller_id, id);
create index call_log_action on call_log (org_id, action, id);
create index call_log_caused_by on call_log (org_id, caused_by) where caused_by is not null;
comment on constraint call_caller_kind on call_log is 'A caller is an agent, a user or the system.';
comment on constraint call_outcome on call_log is 'A call is done, refused or failed.';

-- One row per row changed: written by trigger only, so nothing changes outside a Call.
create table row_log (
  org_id uuid not null,
  id bigint generated always as identity,
  call_id uuid not null,
  at timestamptz not null,
  table_name text not null,
  row_id uuid not null,
  change text not null,
  old_values jsonb,
  new_values jsonb,
  subject_contact_id uuid,
  schema_version integer not null default 1,
  primary key (org_id, id),
  constraint row_change check (change in ('created', 'updated', 'deleted'))
);
create index row_log_call on row_log (org_id, call_id, id);
create index row_log_row on row_log (org_id, row_id, id);
create index row_log_subject on row_log (org_id, subject_contact_id, id) where subject_contact_id is not null;
comment on constraint row_change on row_log is 'A row is created, updated or deleted.';

-- The service's connections plan every statement anew; what runs for each row keeps its plan.
-- Arguments: the table's name, the columns that are not logged (derived or secret), the column naming the
-- contact whose history the change belongs to ('' for none).
create function frontdesk.log_row() returns trigger
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
    after := jsonb_strip_nulls(whole - unlogged);
  elsif tg_op = 'DELETE' then
    whole := to_jsonb(old);
    before := jsonb_strip_nulls(whole - unlogged);
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
    (org_id, call_id, at, table_name, row_id, change, old_values, new_values, subject_contact_id)
  values
    ((whole ->> 'org_id')::uuid, frontdesk.call_id(), frontdesk.call_time(), tg_argv[0], (whole ->> 'id')::uuid,
     case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
     before, after, (whole ->> nullif(tg_argv[2], ''))::uuid);
  return null;
end $$;

-- Counts the version up and stamps the time when anything really changed; a repeated update changes nothing. A change of
-- a part in another table is told by `version = version + 1`.
-- Argument: the derived columns. Generated ones are not computed yet when this runs, so they are not compared.
create function frontdesk.touch() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if to_jsonb(new) - string_to_array(tg_argv[0], ',') is distinct from to_jsonb(old) - string_to_array(tg_argv[0], ',') then
    new.version := old.version + 1;
    new.updated_at := coalesce(frontdesk.call_time(), old.updated_at);
  end if;
  return new;
end $$;

-- Tenancy

-- Row level security for one table. The tenant's policy is a plain function, without sub-selects, so that it
-- can move to a sharded database; the owner's own policy lets migrations and the search views through.
create function frontdesk.isolate(tbl regclass, rights text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy tenant on %s to frontdesk_app using (org_id = frontdesk.org_id()) '
                 'with check (org_id = frontdesk.org_id())', tbl);
  execute format('create policy owner_all on %s to %I using (true) with check (true)', tbl, current_user);
  execute format('grant %s on %s to frontdesk_app', rights, tbl);
end $$;

-- Everything a business table needs: isolation, version counting, the row log.
-- secret: columns never logged. derived: columns computed from others, not logged either.
-- subject: the column naming the contact whose history a change belongs to.
create function frontdesk.enable_tenant(
  tbl regclass, subject text default '', secret text[] default '{}', derived text[] default '{}'
) returns void language plpgsql set search_path = pg_catalog as $$
declare
  unlogged text := array_to_string(array['org_id', 'id', 'version', 'updated_at'] || secret || derived, ',');
  table_name text := (select relname from pg_class where oid = tbl);
begin
  perform frontdesk.isolate(tbl, 'select, insert, update, delete');
  execute format('create trigger touch before update on %s for each row '
                 'execute function frontdesk.touch(%L)', tbl, array_to_string(derived, ','));
  execute format('create trigger log_row after insert or update or delete on %s for each row '
                 'execute function frontdesk.log_row(%L, %L, %L)', tbl, table_name, unlogged, subject);
end $$;

select frontdesk.isolate('call_log', 'select, insert');
select frontdesk.isolate('row_log', 'select');

-- What refers to a row: the composite foreign keys of the schema, counted. Cascading ones included.
create function frontdesk.referrers(target text, target_id uuid)
  returns table (table_name text, column_name text, cascades boolean, rows bigint)
  language plpgsql stable set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name, c.confdeltype = 'c' as cascades
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
     order by 1, 2
  loop
    table_name := key.table_name;
    column_name := key.column_name;
    cascades := key.cascades;
    execute format('select count(*) from %s where org_id = $1 and %I = $2', key.table_name, key.column_name)
      into rows using frontdesk.org_id(), target_id;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;

-- What a Call leaves beside its rows

-- Something to be done outside the database, recorded with the change that caused it.
create table errands (
  org_id uuid not null,
  id uuid not null,
  call_id uuid not null,
  kind text not null,
  summary text not null,
  payload jsonb not null,
  state text not null default 'recorded',
  created_at timestamptz not null,
  primary key (org_id, id),
  constraint errand_state check (state in ('recorded', 'held', 'done', 'failed'))
);
create index errands_call on errands (org_id, call_id);
comment on constraint errand_state on errands is 'An errand is recorded, held, done or failed.';
select frontdesk.isolate('errands', 'select, insert, update');

-- One row per (caller, key) for 30 days: the outcome a repeat is answered with.
create table idempotency_keys (
  org_id uuid not null,
  caller text not null,
  key text not null,
  action text not null,
  input_hash bytea not null,
  call_id uuid not null,
  outcome jsonb,
  created_at timestamptz not null,
  primary key (org_id, caller, key)
);
select frontdesk.isolate('idempotency_keys', 'select, insert, update, delete');

-- What was kept out: the kind and the field of a card or social security number, never the number.
create table security_events (
  org_id uuid not null,
  id uuid not null,
  call_id uuid not null,
  at timestamptz not null,
  kind text not null,
  action text not null,
  field text not null,
  primary key (org_id, id),
  constraint security_event_kind check (kind in ('card_redacted', 'ssn_redacted'))
);
create index security_events_at on security_events (org_id, at desc, id);
comment on constraint security_event_kind on security_events is 'Known kinds: card_redacted, ssn_redacted.';
select frontdesk.isolate('security_events', 'select, insert');
