-- The agent a token belongs to, by the organization and prefix that the token carries in clear: its own classes, whether a
-- decision waits to be told, and the facts of its organization. The hash is compared by the caller, in constant time.
create or replace function frontdesk.agent_by_token(org uuid, prefix text)
  returns table (agent_id uuid, name text, token_hash bytea, expires_at timestamptz, disabled_at timestamptz,
                 overrides jsonb, has_news boolean, timezone text, currency text, country text)
  language plpgsql stable security definer
  set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return query
    select a.id, a.name, a.token_hash, a.expires_at, a.disabled_at, a.overrides,
           exists (select 1 from authorizations t
                    where t.org_id = a.org_id and t.agent_id = a.id and t.told_at is null and t.decision is not null),
           o.timezone, o.currency, o.country
      from agents a
      join orgs o on o.org_id = a.org_id and o.id = a.org_id
     where a.org_id = org and a.token_prefix = prefix;
end $$;
comment on function frontdesk.agent_by_token(uuid, text) is
  'The agent a token belongs to, by the organization and prefix that the token carries in clear, and whether a decision waits '
  'to be told. The hash is compared by the caller, in constant time.';
