-- The active users with this address: one person may belong to several organizations.
create or replace function frontdesk.users_by_email(address text) returns table (org_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select u.org_id, u.id from users u where u.email_key = lower(address) and u.deactivated_at is null
   order by u.created_at, u.org_id
$$;
comment on function frontdesk.users_by_email(text) is
  'The active users with this address: one person may belong to several organizations.';
