-- The authorizations of an organization that match, newest first; how many there are counts to 1,001.
with matching as not materialized (
  select a.*, case when a.status = 'pending' and a.expires_at <= $3 then 'expired' else a.status end as state
  from authorizations a
  where a.org_id = $1
    and ($2::uuid[] is null or a.id = any($2))
    and ($4::text is null
         or $4 = 'expired' and (a.status = 'expired' or a.status = 'pending' and a.expires_at <= $3)
         or a.status = $4 and (a.status <> 'pending' or a.expires_at > $3))
    and ($5::uuid is null or a.agent_id = $5)
    and ($6::text is null or a.action = $6)
    and ($7::timestamptz is null or a.created_at >= $7)
    and ($8::timestamptz is null or a.created_at < $8)
    and ($9::boolean is null or $9 = (a.status = 'pending' and a.expires_at > $3))
    and ($10::text is null or a.decision = $10)
), shown as (
  select m.*, (select count(*) from (select 1 from matching limit 1001) counted) as total
  from matching m
  where $11::uuid is null or m.id < $11
  order by m.id desc
  limit $12
)
select m.id as "id!", m.agent_id as "agent_id!", m.agent_name as "agent_name!", m.client, m.action as "action!",
       m.input as "input!", m.is_batch as "is_batch!", m.summary as "summary!", m.reasoning as "reasoning!",
       m.reasons as "reasons!: Json<Vec<Reason>>", m.stake as "stake!: Json<Stake>", m.preview as "preview!",
       m.plan_hash as "plan_hash!",
       m.state as "status!", m.expires_at as "expires_at!", m.decision, m.note, m.decided_by_name,
       m.decided_at, m.rule_id, m.result, m.error, m.executed_call_id, u.caller_name as "undone_by?",
       u.at as "undone_at?", m.created_at as "created_at!", coalesce(m.rehearsed_at, m.created_at) as "rehearsed_at!",
       m.total as "total!"
from shown m
left join call_log u on u.org_id = $1 and u.id = frontdesk.undone_by(m.executed_call_id)
order by m.id desc
