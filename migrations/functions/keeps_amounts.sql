-- A table in which the organization keeps an amount, if there is one: a column that ends in _amount holds minor units of its
-- currency, which then stays.
create or replace function frontdesk.keeps_amounts() returns text language plpgsql stable set search_path = pg_catalog, public as $$
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
