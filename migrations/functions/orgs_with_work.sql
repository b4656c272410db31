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
