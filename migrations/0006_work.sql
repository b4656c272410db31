-- What is done after the commit and later: errands that are delivered, jobs that come due, alerts when neither works.

set lock_timeout = '5s';

-- An errand waits until it is due, is claimed for a while by the worker that delivers it, and is tried again when that fails
-- or the worker dies.
alter table errands add column service text not null default '';
alter table errands add column due_at timestamptz not null default 'epoch';
alter table errands add column attempts integer not null default 0;
alter table errands add column claimed_until timestamptz;
alter table errands add column last_error text;
alter table errands add column ended_at timestamptz;
alter table errands alter column service drop default;
alter table errands alter column due_at drop default;
create index errands_due on errands (org_id, due_at, id) where ended_at is null;
create index errands_due_anywhere on errands (due_at, org_id) where ended_at is null;
grant delete on errands to frontdesk_app;

-- A call that is due later, or again and again by a standing schedule: then `occurrence` is its day where the business is,
-- so that it comes once a day whatever the clocks do.
create table jobs (
  org_id uuid not null,
  id uuid not null,
  action text not null,
  input jsonb not null,
  due_at timestamptz not null,
  state text not null default 'scheduled',
  attempts integer not null default 0,
  claimed_until timestamptz,
  last_error text,
  schedule text,
  occurrence date,
  caused_by uuid,
  agent_id uuid,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (org_id, id),
  constraint job_of_agent foreign key (org_id, agent_id) references agents (org_id, id),
  constraint job_occurrence unique (org_id, schedule, occurrence),
  constraint job_state check (state in ('scheduled', 'done', 'failed', 'dropped'))
);
create index jobs_due on jobs (org_id, due_at, id) where ended_at is null;
create index jobs_due_anywhere on jobs (due_at, org_id) where ended_at is null;
create index jobs_of_agent on jobs (org_id, agent_id);
comment on constraint job_of_agent on jobs is 'A job is caused by an agent of this organization.';
comment on constraint job_occurrence on jobs is 'A standing job comes once a day.';
comment on constraint job_state on jobs is 'A job is scheduled, done, failed or dropped.';
select frontdesk.isolate('jobs', 'select, insert, update, delete');

-- Something that a person must look at.
create table alerts (
  org_id uuid not null,
  id uuid not null,
  kind text not null,
  message text not null,
  errand_id uuid,
  job_id uuid,
  acknowledged_at timestamptz,
  acknowledged_by text,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint alert_kind check (kind in ('errand_failed', 'job_failed'))
);
create index alerts_open on alerts (org_id, id) where acknowledged_at is null;
comment on constraint alert_kind on alerts is 'Known kinds: errand_failed, job_failed.';
select frontdesk.enable_tenant('alerts');

-- The organizations in which something is due. The errands of a frozen one wait.
create function frontdesk.orgs_with_work(now timestamptz, at_most integer) returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select due.org_id from (
    (select e.org_id, min(e.due_at) as since
       from errands e join orgs o on o.org_id = e.org_id and o.id = e.org_id and o.frozen_at is null
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
