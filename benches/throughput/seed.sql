-- An organization of :contacts customers, of whom 20 are called Fairweather. The numbers are chosen, not drawn: two runs
-- measure the same.
\set ON_ERROR_STOP on
begin;
select frontdesk.begin_call(:'org', gen_random_uuid(), now());
create temp table customers on commit drop as
  select gen_random_uuid() as id, n,
         (array['James', 'Mary', 'Robert', 'Patricia', 'John', 'Jennifer', 'Michael', 'Linda', 'David', 'Elizabeth'])[1 + n % 10]
           as given,
         case when n % (:contacts / 20) = 7 then 'Fairweather'
              else initcap(translate(substr(md5((n / 12)::text), 1, 7), '0123456789', 'aeioulnrst')) end as family,
         (array['Madison', 'Huntsville', 'Athens', 'Decatur', 'Harvest'])[1 + n / 7 % 5] as city,
         (array['Main', 'Oak', 'Elm', 'Maple', 'Cedar', 'Pine', 'Lake', 'Hill', 'Church', 'Spring'])[1 + n / 11 % 10] || ' '
           || (array['Street', 'Avenue', 'Road', 'Drive'])[1 + n / 3 % 4] as street
    from generate_series(1, :contacts) n;
insert into contacts (org_id, id, kind, given_name, family_name, tags, created_at, updated_at)
  select :'org', id, 'person', given, family, array[case n % 2 when 0 then 'residential' else 'commercial' end], now(), now()
    from customers;
insert into contact_emails (org_id, id, contact_id, position, email, is_primary, created_at, updated_at)
  select :'org', gen_random_uuid(), id, 0, lower(given || '.' || family || n || '@example.com'), true, now(), now()
    from customers;
insert into contact_phones (org_id, id, contact_id, position, phone, e164, is_primary, created_at, updated_at)
  select :'org', gen_random_uuid(), id, 0, to_char(2560000000 + n, 'FM"("000")" 000"-"0000'), '+1' || (2560000000 + n), true,
         now(), now()
    from customers;
insert into addresses (org_id, id, contact_id, street, city, region, postal_code, country, is_primary, created_at, updated_at)
  select :'org', gen_random_uuid(), id, n % 9999 || ' ' || street, city, 'AL', '35' || (700 + n % 120), 'US', true, now(), now()
    from customers;
-- The line in the call log has the search text of all of them made.
insert into call_log (org_id, id, at, caller_kind, caller_name, door, action, outcome)
  select :'org', frontdesk.call_id(), now(), 'system', 'bench', 'program', 'bench.seed', 'done';
commit;
vacuum analyze;
