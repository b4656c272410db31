-- An agent's budget and what of it is used since the day began; null without a budget. The agent's row stays locked until
-- the call ends, and what is used is counted after the lock, so that calls side by side cannot pass it.
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
