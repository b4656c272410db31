-- When the running call happens, by the clock of whoever runs it; null outside of one.
create or replace function frontdesk.call_time() returns timestamptz language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.now', true), '')::timestamptz $$;
