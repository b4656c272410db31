-- How much waits and how much is done, over all organizations: numbers for whoever runs the server, and nothing else.
create or replace function frontdesk.work_counts() returns table (kind text, state text, number bigint)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select known.kind, known.state, coalesce(found.number, 0)
  from (values
    ('authorizations', 'pending'), ('alerts', 'open'),
    ('errands', 'recorded'), ('errands', 'held'), ('errands', 'done'), ('errands', 'failed'), ('errands', 'withdrawn'),
    ('jobs', 'scheduled'), ('jobs', 'done'), ('jobs', 'failed'), ('jobs', 'dropped')
  ) known (kind, state)
  left join (
    select 'authorizations', a.status, count(*) from authorizations a where a.status = 'pending' group by a.status
    union all
    select 'alerts', 'open', count(*) from alerts l where l.acknowledged_at is null
    union all
    select 'errands', e.state, count(*) from errands e group by e.state
    union all
    select 'jobs', j.state, count(*) from jobs j group by j.state
  ) found (kind, state, number) on (found.kind, found.state) = (known.kind, known.state)
$$;
comment on function frontdesk.work_counts() is
  'How much waits and how much is done, over all organizations: numbers for whoever runs the server, and nothing else.';
