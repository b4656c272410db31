-- The running call; null outside of one.
create or replace function frontdesk.call_id() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.call_id', true), '')::uuid $$;
