-- nullif: after a transaction that set it, a setting is the empty string, not null. An unset
-- organization therefore matches no row: isolation fails closed.
create or replace function frontdesk.org_id() returns uuid language sql stable parallel safe
  as $$ select nullif(current_setting('frontdesk.org_id', true), '')::uuid $$;
