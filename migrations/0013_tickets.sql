-- The catalog of services, and tickets: work that is scheduled and done. A closed ticket changes no more, whoever asks.

set lock_timeout = '5s';

-- The row log learns which record a row is a part of, so that a ticket's trail tells of its lines, people and clock.

alter table row_log add column record_id uuid;
create index row_log_record on row_log (org_id, record_id, id) where record_id is not null;

-- The same as before, with one argument more: after the schema version the column naming the record that the row is a part
-- of ('' for none).
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
    (org_id, call_id, at, table_name, row_id, change, old_values, new_values, subject_contact_id, schema_version, record_id)
  values
    ((whole ->> 'org_id')::uuid, frontdesk.call_id(), frontdesk.call_time(), tg_argv[0], (whole ->> 'id')::uuid,
     case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end,
     before, after, (whole ->> nullif(tg_argv[2], ''))::uuid, coalesce(tg_argv[3]::integer, 1),
     (whole ->> nullif(tg_argv[4], ''))::uuid);
  return null;
end $$;

drop function frontdesk.log_rows(regclass, text, text);
create function frontdesk.log_rows(tbl regclass, unlogged text, subject text, part_of text) returns void
  language plpgsql set search_path = pg_catalog as $$
begin
  execute format('create or replace trigger log_row after insert or update or delete on %s for each row '
                 'execute function frontdesk.log_row(%L, %L, %L, %L, %L)',
                 tbl, (select relname from pg_class where oid = tbl), unlogged, subject, frontdesk.schema_version(tbl),
                 part_of);
end $$;

create or replace function frontdesk.columns_changed(tbl regclass) returns void
  language plpgsql set search_path = pg_catalog as $$
declare
  given text[];
begin
  select string_to_array(encode(tgargs, 'escape'), '\000') into strict given
    from pg_trigger where tgrelid = tbl and tgname = 'log_row';
  perform frontdesk.log_rows(tbl, given[2], given[3], coalesce(given[5], ''));
end $$;

-- part_of: the column naming the record that a row is a part of.
drop function frontdesk.enable_tenant(regclass, text, text[], text[]);
create function frontdesk.enable_tenant(
  tbl regclass, subject text default '', secret text[] default '{}', derived text[] default '{}', part_of text default ''
) returns void language plpgsql set search_path = pg_catalog as $$
begin
  perform frontdesk.isolate(tbl, 'select, insert, update, delete');
  execute format('create trigger touch before update on %s for each row '
                 'execute function frontdesk.touch(%L)', tbl, array_to_string(derived, ','));
  perform frontdesk.log_rows(
    tbl, array_to_string(array['org_id', 'id', 'version', 'updated_at'] || secret || derived, ','), subject, part_of);
end $$;

-- The same as before, but a row's version counts what changed its parts too.
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

-- Rows of a table that has a column `closed_at` do not change any more once it is set: they keep what they refer to.

create function frontdesk.closes(tbl regclass) returns boolean language sql stable set search_path = pg_catalog
  as $$ select exists (select 1 from pg_attribute where attrelid = tbl and attname = 'closed_at' and not attisdropped) $$;

create or replace function frontdesk.repoint(target text, from_id uuid, to_id uuid, own text[])
  returns table (table_name text, rows bigint)
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name,
           case when frontdesk.closes(c.conrelid) then ' and closed_at is null' else '' end as open
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
       and not c.conrelid::regclass::text = any (own)
     order by 1, 2
  loop
    table_name := key.table_name;
    execute format('update %s set %I = $3 where org_id = $1 and %I = $2%s',
                   key.table_name, key.column_name, key.column_name, key.open)
      using frontdesk.org_id(), from_id, to_id;
    get diagnostics rows = row_count;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;

-- `closed`: how many of the rows do not change any more.
drop function frontdesk.referrers(text, uuid);
create function frontdesk.referrers(target text, target_id uuid)
  returns table (table_name text, column_name text, cascades boolean, rows bigint, closed bigint)
  language plpgsql stable set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select c.conrelid::regclass::text as table_name, a.attname::text as column_name, c.confdeltype = 'c' as cascades,
           case when frontdesk.closes(c.conrelid) then 'count(closed_at)' else '0::bigint' end as closed
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[2]
     where c.contype = 'f' and c.confrelid = target::regclass and array_length(c.conkey, 1) = 2
     order by 1, 2
  loop
    table_name := key.table_name;
    column_name := key.column_name;
    cascades := key.cascades;
    execute format('select count(*), %s from %s where org_id = $1 and %I = $2', key.closed, key.table_name, key.column_name)
      into rows, closed using frontdesk.org_id(), target_id;
    if rows > 0 then
      return next;
    end if;
  end loop;
end $$;

-- The same as before, but what is closed keeps its version.
create or replace function frontdesk.tell_wholes() returns void
  language plpgsql set search_path = pg_catalog, public as $$
declare
  key record;
begin
  for key in
    select r.*,
           case when frontdesk.closes(format('public.%I', r.target)::regclass) then ' and closed_at is null' else '' end as open
      from frontdesk.logged_references() r
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
      '   where l.org_id = $1 and l.call_id = $2 and l.table_name = %2$L)%4$s',
      key.target, key.table_name, key.column_name, key.open)
      using frontdesk.org_id(), frontdesk.call_id();
  end loop;
end $$;

-- Minutes that should lie between two visits of one technician.
alter table orgs add column buffer_minutes integer not null default 15;

-- The catalog. Amounts are minor units of the organization's currency; a column that ends in _amount holds one.

create table services (
  org_id uuid not null,
  id uuid not null,
  name text not null,
  sort_name text generated always as (lower(name)) stored,
  code text not null,
  code_key text generated always as (lower(code)) stored,
  kind text not null,
  description text,
  tax_rate numeric(7, 4) not null,
  pricing text not null,
  price_amount bigint,
  unit_name text,
  duration_minutes integer,
  archived_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint service_code_taken unique (org_id, code_key),
  constraint service_kind check (kind in ('work', 'product')),
  constraint service_pricing check (pricing in ('fixed', 'flexible', 'per_unit')),
  constraint service_price check (price_amount >= 0 and (pricing = 'flexible' or price_amount is not null)),
  constraint service_unit check ((pricing = 'per_unit') = (unit_name is not null)),
  constraint service_tax_rate check (tax_rate between 0 and 100),
  constraint service_duration check (duration_minutes between 1 and 10080)
);
create index services_by_name on services (org_id, sort_name, id);
comment on constraint service_code_taken on services is 'Another service has this code: choose another one.';
comment on constraint service_kind on services is 'A service is work or a product.';
comment on constraint service_pricing on services is 'A service''s price is fixed, flexible or per_unit.';
comment on constraint service_price on services is
  'A fixed price and a price per unit must be there, and no price is negative.';
comment on constraint service_unit on services is 'A price per unit, and no other, has a unit_name.';
comment on constraint service_tax_rate on services is 'A tax rate is 0 to 100 percent.';
comment on constraint service_duration on services is 'A typical duration is 1 minute to 7 days.';
select frontdesk.enable_tenant('services', derived => '{sort_name,code_key}');
create trigger redact before insert or update on services for each row execute function frontdesk.redact_columns('description');

-- Tickets

-- `timezone`: of the address, when it is not the organization's. `bill_to_contact_id`: when it is not the contact.
-- Tickets go with their contact, whose addresses go first; address.remove refuses while a ticket is there.
create table tickets (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  address_id uuid,
  bill_to_contact_id uuid,
  title text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  timezone text,
  status text not null default 'scheduled',
  confirmation text not null default 'not_asked',
  is_price_estimated boolean not null default false,
  previous_starts_at timestamptz,
  previous_ends_at timestamptz,
  cancelled_at timestamptz,
  cancellation_reason text,
  closed_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint ticket_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade,
  constraint ticket_at_address foreign key (org_id, address_id) references addresses (org_id, id) on delete cascade,
  constraint ticket_billed_to foreign key (org_id, bill_to_contact_id) references contacts (org_id, id),
  constraint ticket_status check (status in ('scheduled', 'in_progress', 'closed', 'cancelled', 'no_show')),
  constraint ticket_confirmation check (confirmation in ('not_asked', 'asked', 'accepted', 'declined', 'change_requested')),
  constraint ticket_ends_after_it_starts check (ends_at > starts_at and ends_at <= starts_at + interval '168 hours'),
  constraint ticket_closed_at check ((status = 'closed') = (closed_at is not null)),
  constraint ticket_cancelled_at check ((status = 'cancelled') = (cancelled_at is not null and cancellation_reason is not null))
);
create index tickets_by_start on tickets (org_id, starts_at, id);
create index tickets_by_status on tickets (org_id, status, starts_at, id);
create index tickets_of_contact on tickets (org_id, contact_id, starts_at, id);
create index tickets_at_address on tickets (org_id, address_id, starts_at, id);
create index tickets_billed_to on tickets (org_id, bill_to_contact_id);
comment on constraint ticket_of_contact on tickets is 'Name a contact of this organization.';
comment on constraint ticket_at_address on tickets is 'Name an address of the ticket''s contact.';
comment on constraint ticket_billed_to on tickets is 'Name a contact of this organization to bill.';
comment on constraint ticket_status on tickets is
  'A ticket is scheduled, in_progress, closed, cancelled or a no_show.';
comment on constraint ticket_confirmation on tickets is
  'A confirmation is not_asked, asked, accepted, declined or change_requested.';
comment on constraint ticket_ends_after_it_starts on tickets is 'A ticket ends after it starts, within seven days.';
comment on constraint ticket_closed_at on tickets is 'A closed ticket, and no other, says when it was closed.';
comment on constraint ticket_cancelled_at on tickets is 'A cancelled ticket, and no other, says when and why.';
select frontdesk.enable_tenant('tickets', subject => 'contact_id');
create trigger redact before insert or update on tickets for each row
  execute function frontdesk.redact_columns('cancellation_reason');

-- What is done or delivered on a ticket, with what was agreed when it was added. Quantities are thousandths.
create table line_items (
  org_id uuid not null,
  id uuid not null,
  ticket_id uuid not null,
  service_id uuid not null,
  description text not null,
  pricing text not null,
  quantity_thousandths bigint not null,
  unit_price_amount bigint,
  unit_name text,
  total_amount bigint,
  tax_rate numeric(7, 4) not null,
  duration_minutes integer,
  position integer not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint line_item_of_ticket foreign key (org_id, ticket_id) references tickets (org_id, id) on delete cascade,
  constraint line_item_of_service foreign key (org_id, service_id) references services (org_id, id),
  constraint line_item_pricing check (pricing in ('fixed', 'flexible', 'per_unit')),
  constraint line_item_price check (pricing = 'flexible' or unit_price_amount is not null),
  constraint line_item_quantity check (quantity_thousandths between 1 and 10000000),
  constraint line_item_total check (
    (unit_price_amount is null) = (total_amount is null)
    and total_amount = round(unit_price_amount::numeric * quantity_thousandths / 1000)),
  constraint line_item_duration check (duration_minutes between 0 and 10080)
);
create index line_items_of_ticket on line_items (org_id, ticket_id, position, id);
create index line_items_of_service on line_items (org_id, service_id, ticket_id);
comment on constraint line_item_of_ticket on line_items is 'Name a ticket of this organization.';
comment on constraint line_item_of_service on line_items is 'Name a service of this organization.';
comment on constraint line_item_pricing on line_items is 'A line''s price is fixed, flexible or per_unit.';
comment on constraint line_item_price on line_items is 'Only a flexible price may be left open.';
comment on constraint line_item_quantity on line_items is 'A quantity is 0.001 to 10000.';
comment on constraint line_item_total on line_items is
  'A line''s total is its price times its quantity, rounded half away from zero.';
comment on constraint line_item_duration on line_items is 'A duration is at most seven days.';
select frontdesk.enable_tenant('line_items', part_of => 'ticket_id');

-- Who works on a ticket.
create table ticket_technicians (
  org_id uuid not null,
  id uuid not null,
  ticket_id uuid not null,
  user_id uuid not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint technician_of_ticket foreign key (org_id, ticket_id) references tickets (org_id, id) on delete cascade,
  constraint technician_is_user foreign key (org_id, user_id) references users (org_id, id),
  constraint technician_twice unique (org_id, ticket_id, user_id)
);
create index tickets_of_technician on ticket_technicians (org_id, user_id, ticket_id);
comment on constraint technician_of_ticket on ticket_technicians is 'Name a ticket of this organization.';
comment on constraint technician_is_user on ticket_technicians is 'A technician is a user of this organization.';
comment on constraint technician_twice on ticket_technicians is 'This technician is on the ticket already.';
select frontdesk.enable_tenant('ticket_technicians', part_of => 'ticket_id');

-- When somebody worked on a ticket; without an end the clock runs.
create table clock_spans (
  org_id uuid not null,
  id uuid not null,
  ticket_id uuid not null,
  user_id uuid not null,
  started_at timestamptz not null,
  ended_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint clock_span_of_ticket foreign key (org_id, ticket_id) references tickets (org_id, id) on delete cascade,
  constraint clock_span_of_user foreign key (org_id, user_id) references users (org_id, id),
  constraint clock_span_ends_after_it_starts check (ended_at >= started_at)
);
create index clock_spans_of_ticket on clock_spans (org_id, ticket_id, started_at, id);
create index clock_spans_of_user on clock_spans (org_id, user_id, started_at, id);
create unique index one_running_clock on clock_spans (org_id, ticket_id, user_id) where ended_at is null;
create index running_clocks on clock_spans (org_id, user_id, ticket_id) where ended_at is null;
comment on constraint clock_span_of_ticket on clock_spans is 'Name a ticket of this organization.';
comment on constraint clock_span_of_user on clock_spans is 'Name a user of this organization.';
comment on constraint clock_span_ends_after_it_starts on clock_spans is 'A clock stops after it started.';
select frontdesk.enable_tenant('clock_spans', part_of => 'ticket_id');

-- A closed ticket stays as it is, and so do its lines, its people and its clock. An undo tells this refusal by its code.

create function frontdesk.refuse_change_of_closed() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'ticket % is closed and does not change any more', old.id using errcode = 'FD001';
end $$;

create trigger closed before update or delete on tickets for each row when (old.closed_at is not null)
  execute function frontdesk.refuse_change_of_closed();

-- The ticket is locked against being closed meanwhile. One that is gone takes its parts along.
create function frontdesk.refuse_change_of_closed_ticket() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
declare
  org uuid := coalesce(new.org_id, old.org_id);
  ticket record;
begin
  for ticket in
    select id, closed_at from tickets where org_id = org and id in (old.ticket_id, new.ticket_id) for share
  loop
    if ticket.closed_at is not null then
      raise exception 'ticket % is closed and does not change any more', ticket.id using errcode = 'FD001';
    end if;
  end loop;
  return coalesce(new, old);
end $$;

create trigger closed before insert or update or delete on line_items for each row
  execute function frontdesk.refuse_change_of_closed_ticket();
create trigger closed before insert or update or delete on ticket_technicians for each row
  execute function frontdesk.refuse_change_of_closed_ticket();
create trigger closed before insert or update or delete on clock_spans for each row
  execute function frontdesk.refuse_change_of_closed_ticket();

-- Notes on tickets are found by their contact too.

alter table notes add column ticket_id uuid;
alter table notes add constraint note_of_ticket foreign key (org_id, ticket_id) references tickets (org_id, id)
  on delete cascade;
create index notes_of_ticket on notes (org_id, ticket_id, id);
comment on constraint note_of_ticket on notes is 'Name a ticket of this organization.';

-- An address that visits took place at is not deleted with them, only kept out of lists and search.

alter table addresses add column removed_at timestamptz;
alter table addresses add constraint removed_address_is_not_primary check (removed_at is null or not is_primary);
comment on constraint removed_address_is_not_primary on addresses is 'A removed address is nobody''s primary one.';

create or replace function frontdesk.index_contact(org uuid, contact uuid) returns void
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  insert into contact_search (org_id, id, name, reach, place, words, misspellings)
  select org, contact, t.name, t.reach, t.place, t.tags || t.notes,
         frontdesk.misspellings(t.name || ' ' || t.place || ' ' || t.tags)
    from (
      select frontdesk.fold(c.display_name) as name,
             coalesce((select string_agg(e.email_key, ' ' order by e.position)
                         from contact_emails e where e.org_id = org and e.contact_id = contact), '')
               || coalesce((select ' ' || string_agg(
                                coalesce(ltrim(p.e164, '+') || ' ', '') || regexp_replace(p.phone, '[^0-9]', '', 'g'),
                                ' ' order by p.position)
                         from contact_phones p where p.org_id = org and p.contact_id = contact), '') as reach,
             coalesce((select string_agg(frontdesk.fold(concat_ws(' ', a.label, a.street, a.street2, a.city, a.postal_code)),
                                ' ' order by a.id)
                         from addresses a
                        where a.org_id = org and a.contact_id = contact and a.removed_at is null), '') as place,
             frontdesk.fold(array_to_string(c.tags, ' ')) as tags,
             coalesce((select ' ' || string_agg(frontdesk.fold(n.content), ' ' order by n.id)
                         from notes n where n.org_id = org and n.contact_id = contact), '') as notes
        from contacts c
       where c.org_id = org and c.id = contact
    ) t
  on conflict (org_id, id) do update
    set name = excluded.name, reach = excluded.reach, place = excluded.place, words = excluded.words,
        misspellings = excluded.misspellings;
end $$;

select frontdesk.columns_changed('orgs');
select frontdesk.columns_changed('notes');
select frontdesk.columns_changed('addresses');
