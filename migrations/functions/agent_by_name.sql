-- The agent of that name, for callers that the machine itself vouches for: its own classes, whether a decision waits to be told,
-- and the facts of its organization.
create or replace function frontdesk.agent_by_name(org uuid, agent_name text)
  returns table (agent_id uuid, disabled_at timestamptz, overrides jsonb, has_news boolean,
                 timezone text, currency text, country text)
  language plpgsql stable security definer
  set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return query
    select a.id, a.disabled_at, a.overrides,
           exists (select 1 from authorizations t
                    where t.org_id = a.org_id and t.agent_id = a.id and t.told_at is null and t.decision is not null),
           o.timezone, o.currency, o.country
      from agents a
      join orgs o on o.org_id = a.org_id and o.id = a.org_id
     where a.org_id = org and a.name = agent_name;
end $$;
comment on function frontdesk.agent_by_name(uuid, text) is
  'The agent of that name, for callers that the machine itself vouches for.';
