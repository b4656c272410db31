-- Everything the gate must know to judge a call of an agent. The agent's row stays locked until the call ends, so that
-- calls side by side cannot count past a limit; each statement here sees what was committed before it, so the counts
-- are taken after the lock.
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
