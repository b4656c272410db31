create or replace function frontdesk.first_id(moment timestamptz) returns uuid language sql immutable parallel safe
  as $$ select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid $$;
comment on function frontdesk.first_id(timestamptz) is
  'Where the ids given out from then on begin: an id begins with its time in milliseconds.';
