-- Functions that are asked at every request keep their plans. A function in SQL that has settings of its own is planned anew
-- at each call; one in PL/pgSQL is planned once in each connection. All that is asked here by key has one good plan.
--
-- Functions that look beyond row security look for temporary tables last: otherwise a temporary table of the caller's
-- could stand for a table of ours.

set lock_timeout = '5s';

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

alter function frontdesk.log_row() set search_path = pg_catalog, public, pg_temp;
alter function frontdesk.org_ids() set search_path = pg_catalog, public, pg_temp;
alter function frontdesk.orgs_with_work(timestamptz, integer) set search_path = pg_catalog, public, pg_temp;
alter function frontdesk.users_by_email(text) set search_path = pg_catalog, public, pg_temp;
alter function frontdesk.work_counts() set search_path = pg_catalog, public, pg_temp;
comment on function frontdesk.org_ids() is 'The organizations of this installation, oldest first.';
comment on function frontdesk.orgs_with_work(timestamptz, integer) is 'The organizations in which something is due.';
comment on function frontdesk.users_by_email(text) is
  'The active users with this address: one person may belong to several organizations.';
comment on function frontdesk.work_counts() is
  'How much waits and how much is done, over all organizations: numbers for whoever runs the server, and nothing else.';

-- Each of these counts is served by an index that begins with all that is asked for.
create or replace function frontdesk.gate_facts(agent uuid, what text, burst_since timestamptz, day_began timestamptz) returns jsonb
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  org uuid := frontdesk.org_id();
  facts jsonb;
begin
  select jsonb_build_object('overrides', a.overrides, 'disabled', a.disabled_at is not null) into facts
    from agents a where a.org_id = org and a.id = agent for no key update;
  return facts || (
    select jsonb_build_object(
             'frozen', (select o.frozen_at is not null from orgs o where o.org_id = org and o.id = org),
             'recent', coalesce(sum(c.items), 0),
             'recent_strict', coalesce(sum(c.items) filter (where c.gate <> 'unrestricted'), 0),
             'rules', (
               select coalesce(jsonb_agg(jsonb_build_object(
                        'id', r.id, 'reasons', r.reasons, 'items_per_call', r.items_per_call, 'items_per_day', r.items_per_day,
                        'used_today', (
                          select coalesce(sum(used.items), 0) from call_log used
                           where used.org_id = org and used.rule_id = r.id and used.at >= day_began)) order by r.id), '[]')
                 from rules r
                where r.org_id = org and r.action = what and (r.agent_id is null or r.agent_id = agent)
                  and r.revoked_at is null and (r.expires_at is null or r.expires_at > frontdesk.call_time())))
      from call_log c
     where c.org_id = org and c.caller_id = agent and c.action = what and c.at > burst_since
       and c.outcome = 'done' and c.authorization_id is null);
end $$;
comment on function frontdesk.gate_facts(uuid, text, timestamptz, timestamptz) is
  'Everything the gate must know to judge a call of an agent. The agent''s row stays locked until the call ends, so that calls '
  'side by side cannot count past a limit; the second statement sees what was committed before it, so the counts are taken '
  'after the lock.';

create or replace function frontdesk.spent_since(agent uuid, since timestamptz)
  returns table (actions bigint, messages bigint, money bigint)
  language plpgsql stable set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  return query
    select coalesce(sum(c.items), 0)::bigint, coalesce(sum(e.messages), 0)::bigint, coalesce(sum(e.money), 0)::bigint
      from call_log c
     cross join lateral (
       select count(*) filter (where left_behind.outward and left_behind.money = 0) as messages, sum(left_behind.money) as money
         from errands left_behind
        where left_behind.org_id = c.org_id and left_behind.call_id = c.id
     ) e
     where c.org_id = frontdesk.org_id() and c.caller_id = agent and c.at >= since
       and c.outcome = 'done' and c.authorization_id is null and c.caller_kind = 'agent';
end $$;
comment on function frontdesk.spent_since(uuid, timestamptz) is
  'What an agent did by itself since then. What people allowed is theirs, and what was refused or rehearsed was not done. What '
  'reaches somebody outside and moves no money is a message.';

create or replace function frontdesk.budget_facts(agent uuid, day_began timestamptz) returns jsonb
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  most jsonb;
begin
  select jsonb_build_object('actions', a.actions_per_day, 'messages', a.messages_per_day, 'money', a.money_per_day)
    into most
    from agents a
   where a.org_id = frontdesk.org_id() and a.id = agent
     and num_nonnulls(a.actions_per_day, a.messages_per_day, a.money_per_day) > 0
     for no key update;
  if most is null then
    return null;
  end if;
  return (select jsonb_build_object('most', most, 'used', to_jsonb(spent)) from frontdesk.spent_since(agent, day_began) spent);
end $$;
comment on function frontdesk.budget_facts(uuid, timestamptz) is
  'An agent''s budget and what of it is used since the day began; null without a budget. The agent''s row stays locked until '
  'the call ends, and what is used is counted after the lock, so that calls side by side cannot pass it.';
