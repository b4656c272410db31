-- What domains publish of their rows, for the lists of others: plain columns of one table, which others join by organization
-- and id. Row security holds for whoever asks. A migration that changes such a table makes its view anew.

set lock_timeout = '5s';

-- The names are there, because every contact has one; the planner and the program may rely on it.
alter table contacts alter column display_name set not null, alter column sort_name set not null;

create view frontdesk.users with (security_invoker = true) as
  select org_id, id, name from public.users;
comment on view frontdesk.users is 'What the people of the business are called.';

create view frontdesk.contacts with (security_invoker = true) as
  select org_id, id, display_name, merged_into from public.contacts;
comment on view frontdesk.contacts is 'What contacts are called, and where they went that were merged.';

create view frontdesk.addresses with (security_invoker = true) as
  select org_id, id, contact_id, city_key, postal_code, removed_at from public.addresses;
comment on view frontdesk.addresses is 'Whose addresses are whose, and in which area.';

create view frontdesk.tickets with (security_invoker = true) as
  select org_id, id, contact_id, starts_at, status from public.tickets;
comment on view frontdesk.tickets is 'Whose visits took place when, or are to.';

create view frontdesk.line_items with (security_invoker = true) as
  select org_id, id, ticket_id, service_id from public.line_items;
comment on view frontdesk.line_items is 'Which visits had which services.';

-- Of the kernel's.
create view frontdesk.jobs with (security_invoker = true) as
  select org_id, id, action, due_at, state, schedule, attempts, last_error, caused_by, created_at, ended_at from public.jobs;
comment on view frontdesk.jobs is 'What is due later, without what it was asked with.';

create view frontdesk.errands with (security_invoker = true) as
  select org_id, id, kind, service, summary, state, due_at, attempts, last_error, call_id, created_at, ended_at
    from public.errands;
comment on view frontdesk.errands is 'What goes out, without what is in it.';

grant select on frontdesk.users, frontdesk.contacts, frontdesk.addresses, frontdesk.tickets, frontdesk.line_items,
  frontdesk.jobs, frontdesk.errands to frontdesk_app;

-- A table in which the organization keeps an amount, if there is one: a column that ends in _amount holds minor units of its
-- currency, which then stays.
create function frontdesk.keeps_amounts() returns text language plpgsql stable set search_path = pg_catalog, public as $$
declare
  held record;
  found boolean;
begin
  for held in
    select c.relname::text as table_name, a.attname as column_name
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname like '%\_amount'
     order by 1, 2
  loop
    execute format('select exists (select 1 from public.%I where org_id = $1 and %I is not null)',
                   held.table_name, held.column_name)
      into found using frontdesk.org_id();
    if found then
      return held.table_name;
    end if;
  end loop;
  return null;
end $$;
comment on function frontdesk.keeps_amounts() is 'A table in which the organization keeps an amount of its currency.';
