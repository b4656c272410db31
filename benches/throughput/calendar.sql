-- The calendar of an organization of customers: ten technicians with ten visits each on every weekday of sixteen weeks, of
-- which the last four are February 2031 with its 2,000 visits. Half an hour each between eight and five, a quarter of an hour
-- apart, with a longer pause at another time for each technician and day.
\set ON_ERROR_STOP on
begin;
select frontdesk.begin_call(:'org', gen_random_uuid(), now());
create temp table crew on commit drop as
  select gen_random_uuid() as id, nth - 1 as nth, name
    from unnest(array['Tara', 'Tom', 'Tina', 'Theo', 'Tess', 'Todd', 'Tyra', 'Trey', 'Thea', 'Tate']) with ordinality t (name, nth);
insert into users (org_id, id, email, name, role, created_at, updated_at)
  select :'org', id, lower(name) || '@example.com', name || ' Technician', 'technician', now(), now() from crew;
create temp table catalog on commit drop as
  select gen_random_uuid() as id, nth - 1 as nth, name, 4900 + nth * 1500 as price
    from unnest(array['Windows', 'Gutters', 'Screens', 'Skylights', 'Solar panels']) with ordinality s (name, nth);
insert into services (org_id, id, name, code, kind, tax_rate, pricing, price_amount, duration_minutes, created_at, updated_at)
  select :'org', id, name, 'S' || nth, 'work', 0, 'fixed', price, 30, now(), now() from catalog;
create temp table customers on commit drop as
  select c.id, a.id as address, row_number() over (order by c.created_at, c.id) - 1 as nth
    from contacts c join addresses a on a.org_id = :'org' and a.contact_id = c.id
   where c.org_id = :'org';
create temp table visits on commit drop as
  select gen_random_uuid() as id, n, crew.id as technician, c.id as contact, c.address, catalog.name as title,
         (date '2030-11-11' + day / 5 * 7 + day % 5 + time '08:00'
           + visit * interval '45 minutes' + case when visit >= (crew.nth * 3 + day) % 11 then interval '105 minutes' else '0' end)
           at time zone 'America/Chicago' as starts_at
    from generate_series(0, 79) day cross join crew cross join generate_series(0, 9) visit
   cross join lateral (select day * 100 + crew.nth * 10 + visit as n) numbered
    join customers c on c.nth = n * 7 % (select count(*) from customers)
    join catalog on catalog.nth = n % 5;
insert into tickets (org_id, id, contact_id, address_id, title, starts_at, ends_at, created_at, updated_at)
  select :'org', id, contact, address, title, starts_at, starts_at + interval '30 minutes', now(), now() from visits;
insert into ticket_technicians (org_id, id, ticket_id, user_id, created_at, updated_at)
  select :'org', gen_random_uuid(), id, technician, now(), now() from visits;
insert into line_items (org_id, id, ticket_id, service_id, description, pricing, quantity_thousandths, unit_price_amount,
                        total_amount, tax_rate, duration_minutes, position, created_at, updated_at)
  select :'org', gen_random_uuid(), v.id, s.id, s.name, 'fixed', 1000, s.price, s.price, 0, 30, line, now(), now()
    from visits v cross join generate_series(1, 2) line
    join catalog s on s.nth = (n + line - 1) % 5
   where line = 1 or n % 3 = 0;
-- The line in the call log has the search text of all customers made.
insert into call_log (org_id, id, at, caller_kind, caller_name, door, action, outcome)
  select :'org', frontdesk.call_id(), now(), 'system', 'bench', 'program', 'bench.seed', 'done';
commit;
vacuum analyze;
