-- Word to those who decide, and what an agent may do in a day.

set lock_timeout = '5s';

-- Whom an errand reaches: people outside, and then the freeze holds it and budgets count it, or the business's own. And the
-- money that it moves, in minor units.
alter table errands add column outward boolean not null default true;
alter table errands add column money bigint not null default 0;
update errands set outward = false, state = 'recorded' where kind = 'sign_in_mail' and ended_at is null;
create index errands_of_notices on errands (org_id, ended_at) where kind = 'queue_notice';

-- The organizations in which something is due. What a frozen one would send to people outside waits.
create or replace function frontdesk.orgs_with_work(now timestamptz, at_most integer) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select due.org_id from (
    (select e.org_id, min(e.due_at) as since
       from errands e join orgs o on o.org_id = e.org_id and o.id = e.org_id and (o.frozen_at is null or not e.outward)
      where e.ended_at is null and e.due_at <= orgs_with_work.now
        and (e.claimed_until is null or e.claimed_until <= orgs_with_work.now)
      group by e.org_id)
    union all
    (select j.org_id, min(j.due_at)
       from jobs j
      where j.ended_at is null and j.due_at <= orgs_with_work.now
        and (j.claimed_until is null or j.claimed_until <= orgs_with_work.now)
      group by j.org_id)
  ) due
  group by due.org_id
  order by min(due.since), due.org_id
  limit orgs_with_work.at_most
$$;

-- What an agent may do in a day of the organization before each further change waits for a person; null for no limit.
alter table agents add column actions_per_day integer;
alter table agents add column messages_per_day integer;
alter table agents add column money_per_day bigint;
alter table agents add constraint agent_actions_per_day check (actions_per_day >= 0);
alter table agents add constraint agent_messages_per_day check (messages_per_day >= 0);
alter table agents add constraint agent_money_per_day check (money_per_day >= 0);
comment on constraint agent_actions_per_day on agents is 'A budget of actions is not negative.';
comment on constraint agent_messages_per_day on agents is 'A budget of messages is not negative.';
comment on constraint agent_money_per_day on agents is 'A budget of money is not negative.';

create index call_log_of_agent_by_time on call_log (org_id, caller_id, at) include (id, items)
  where outcome = 'done' and authorization_id is null and caller_kind = 'agent';

-- What an agent did by itself since then. What people allowed is theirs, and what was refused or rehearsed was not done. What
-- reaches somebody outside and moves no money is a message.
create function frontdesk.spent_since(agent uuid, since timestamptz)
  returns table (actions bigint, messages bigint, money bigint)
  language sql stable set search_path = pg_catalog, public as $$
  select coalesce(sum(c.items), 0)::bigint, coalesce(sum(e.messages), 0)::bigint, coalesce(sum(e.money), 0)::bigint
    from call_log c
    cross join lateral (
      select count(*) filter (where left_behind.outward and left_behind.money = 0) as messages, sum(left_behind.money) as money
        from errands left_behind
       where left_behind.org_id = c.org_id and left_behind.call_id = c.id
    ) e
   where c.org_id = frontdesk.org_id() and c.caller_id = agent and c.at >= since
     and c.outcome = 'done' and c.authorization_id is null and c.caller_kind = 'agent'
$$;

-- An agent's budget and what of it is used since the day began; null without a budget. The agent's row stays locked until
-- the call ends, and what is used is counted after the lock, so that calls side by side cannot pass it.
create function frontdesk.budget_facts(agent uuid, day_began timestamptz) returns jsonb
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_custom_plan as $$
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

select frontdesk.columns_changed('agents');
