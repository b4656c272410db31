-- What an agent did by itself since then. What people allowed is theirs, and what was refused or rehearsed was not done. What
-- reaches somebody outside and moves no money is a message.
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
