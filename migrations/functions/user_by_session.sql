-- The person a session belongs to, by the organization that its token carries in clear and the token's hash.
create or replace function frontdesk.user_by_session(org uuid, hash bytea)
  returns table (session_id uuid, user_id uuid, name text, role text, deactivated_at timestamptz,
                 last_seen_at timestamptz, expires_at timestamptz, timezone text, currency text, country text)
  language plpgsql stable security definer
  set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return query
    select s.id, u.id, u.name, u.role, u.deactivated_at, s.last_seen_at, s.expires_at, o.timezone, o.currency, o.country
      from sessions s
      join users u on u.org_id = s.org_id and u.id = s.user_id
      join orgs o on o.org_id = s.org_id and o.id = s.org_id
     where s.org_id = org and s.token_hash = hash;
end $$;
comment on function frontdesk.user_by_session(uuid, bytea) is
  'The person a session belongs to, by the organization that its token carries in clear and the token''s hash.';
