-- What agents ask and people decide: the authorization queue, its rules, and what the gate looks at.

set lock_timeout = '5s';

-- The switch that holds every change of every agent.
alter table orgs add column frozen_at timestamptz;

-- Per agent: classes that are stricter than the actions' own, by action or domain: {"contact.archive": "requires_authorization"}.
alter table agents add column overrides jsonb not null default '{}';

-- What waits for a person, and what became of it.
create table authorizations (
  org_id uuid not null,
  id uuid not null,
  agent_id uuid not null,
  agent_name text not null,
  client text,
  action text not null,
  input jsonb not null,
  is_batch boolean not null,
  input_hash bytea not null,
  summary text not null,
  reasoning text not null,
  reasons jsonb not null,
  stake jsonb not null,
  preview jsonb not null,
  plan_hash bytea not null,
  status text not null default 'pending',
  expires_at timestamptz not null,
  decision text,
  note text,
  decided_by uuid,
  decided_by_name text,
  decided_at timestamptz,
  rule_id uuid,
  result jsonb,
  error jsonb,
  asked_call_id uuid not null,
  decided_call_id uuid,
  executed_call_id uuid,
  told_at timestamptz,
  created_at timestamptz not null,
  primary key (org_id, id),
  constraint authorization_of_agent foreign key (org_id, agent_id) references agents (org_id, id),
  constraint authorization_status check (status in ('pending', 'executed', 'failed', 'denied', 'expired', 'withdrawn')),
  constraint authorization_decision check (decision in ('allow_once', 'allow_always', 'deny')),
  constraint authorization_decided check ((decision is null) = (decided_at is null))
);
create unique index one_pending on authorizations (org_id, agent_id, action, input_hash) where status = 'pending';
create index authorizations_of_agent on authorizations (org_id, agent_id, id);
create index authorizations_by_status on authorizations (org_id, status, id);
create index authorizations_untold on authorizations (org_id, agent_id)
  where told_at is null and decision is not null;
comment on constraint authorization_of_agent on authorizations is 'An authorization belongs to an agent.';
comment on constraint authorization_status on authorizations is
  'A status is pending, executed, failed, denied, expired or withdrawn.';
comment on constraint authorization_decision on authorizations is 'A decision is allow_once, allow_always or deny.';
comment on constraint authorization_decided on authorizations is 'A decision has its time.';
select frontdesk.isolate('authorizations', 'select, insert, update');

-- What was allowed always. Empty conditions do not narrow: a rule without agent_id is for every agent.
create table rules (
  org_id uuid not null,
  id uuid not null,
  agent_id uuid,
  action text not null,
  reasons text[] not null default '{}',
  items_per_call integer,
  items_per_day integer,
  expires_at timestamptz,
  authorization_id uuid not null,
  created_by uuid not null,
  created_by_name text not null,
  revoked_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint rule_of_agent foreign key (org_id, agent_id) references agents (org_id, id),
  constraint rule_from_authorization foreign key (org_id, authorization_id) references authorizations (org_id, id),
  constraint rule_items_per_call check (items_per_call > 0),
  constraint rule_items_per_day check (items_per_day > 0)
);
create index rules_of_action on rules (org_id, action, id);
create index rules_of_agent on rules (org_id, agent_id);
create index rules_from_authorization on rules (org_id, authorization_id);
comment on constraint rule_of_agent on rules is 'Name an agent of this organization.';
comment on constraint rule_from_authorization on rules is 'A rule comes from an authorization.';
comment on constraint rule_items_per_call on rules is 'A rule lets at least one item through per call.';
comment on constraint rule_items_per_day on rules is 'A rule lets at least one item through per day.';
select frontdesk.enable_tenant('rules');

-- What was asked, decided and done are calls of their own, joined by the authorization. How many items a call had and
-- how strictly it was judged is what limits are counted from.
alter table call_log add column authorization_id uuid;
alter table call_log add column rule_id uuid;
alter table call_log add column items integer not null default 1;
alter table call_log add column gate text;
alter table call_log drop constraint call_outcome;
alter table call_log add constraint call_outcome check (outcome in ('done', 'queued', 'refused', 'failed'));
comment on constraint call_outcome on call_log is 'A call is done, queued, refused or failed.';
create index call_log_of_agent on call_log (org_id, caller_id, action, at) include (items, gate)
  where outcome = 'done' and authorization_id is null;
create index call_log_by_rule on call_log (org_id, rule_id, at) include (items) where rule_id is not null;
create index call_log_authorization on call_log (org_id, authorization_id) where authorization_id is not null;

-- Everything the gate must know to judge a call of an agent. The agent's row stays locked until the call ends, so that
-- calls side by side cannot count past a limit; each statement here sees what was committed before it, so the counts
-- are taken after the lock.
create function frontdesk.gate_facts(agent uuid, what text, burst_since timestamptz, day_began timestamptz) returns jsonb
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_custom_plan as $$
declare
  facts jsonb;
begin
  select jsonb_build_object('overrides', a.overrides, 'disabled', a.disabled_at is not null) into facts
    from agents a where a.org_id = frontdesk.org_id() and a.id = agent for no key update;
  return facts || (
    select jsonb_build_object(
      'frozen', (select o.frozen_at is not null from orgs o where o.org_id = frontdesk.org_id() and o.id = frontdesk.org_id()),
      'recent', coalesce(sum(c.items), 0),
      'recent_strict', coalesce(sum(c.items) filter (where c.gate <> 'unrestricted'), 0))
      from call_log c
     where c.org_id = frontdesk.org_id() and c.caller_id = agent and c.action = what and c.at > burst_since
       and c.outcome = 'done' and c.authorization_id is null
  ) || jsonb_build_object('rules', (
    select coalesce(jsonb_agg(jsonb_build_object(
             'id', r.id, 'reasons', r.reasons, 'items_per_call', r.items_per_call, 'items_per_day', r.items_per_day,
             'used_today', (
               select coalesce(sum(c.items), 0) from call_log c
                where c.org_id = r.org_id and c.rule_id = r.id and c.at >= day_began)) order by r.id), '[]')
      from rules r
     where r.org_id = frontdesk.org_id() and r.action = what and (r.agent_id is null or r.agent_id = agent)
       and r.revoked_at is null and (r.expires_at is null or r.expires_at > frontdesk.call_time())));
end $$;

-- An agent's own classes and whether a decision waits to be told belong to knowing who calls.
drop function frontdesk.agent_by_token(uuid, text);
create function frontdesk.agent_by_token(org uuid, prefix text)
  returns table (agent_id uuid, name text, token_hash bytea, expires_at timestamptz, disabled_at timestamptz,
                 overrides jsonb, has_news boolean, timezone text, currency text, country text)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select a.id, a.name, a.token_hash, a.expires_at, a.disabled_at, a.overrides,
         exists (select 1 from authorizations t
                  where t.org_id = a.org_id and t.agent_id = a.id and t.told_at is null and t.decision is not null),
         o.timezone, o.currency, o.country
    from agents a
    join orgs o on o.org_id = a.org_id and o.id = a.org_id
   where a.org_id = org and a.token_prefix = prefix
$$;

drop function frontdesk.agent_by_name(uuid, text);
create function frontdesk.agent_by_name(org uuid, agent_name text)
  returns table (agent_id uuid, disabled_at timestamptz, overrides jsonb, has_news boolean,
                 timezone text, currency text, country text)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select a.id, a.disabled_at, a.overrides,
         exists (select 1 from authorizations t
                  where t.org_id = a.org_id and t.agent_id = a.id and t.told_at is null and t.decision is not null),
         o.timezone, o.currency, o.country
    from agents a
    join orgs o on o.org_id = a.org_id and o.id = a.org_id
   where a.org_id = org and a.name = agent_name
$$;
