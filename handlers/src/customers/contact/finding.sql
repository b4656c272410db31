-- Contacts by words: $2 to $4 must stand in the text, $5 to $7 may be similar or one slip apart; nulls fold
-- away, because plans are made for the values. Through the owner's view first, which the indexes serve; what the caller
-- may see is decided by the join to the table under row security. What is computed from a parameter stands in a select of
-- its own, so that it is computed once and not for each row.
with hits as materialized (
  select s.id, s.name, s.body
  from frontdesk.contact_search s
  where s.org_id = $1
    and ($2::text is null or s.body like (select '%' || frontdesk.fold($2) || '%'))
    and ($3::text is null or s.body like (select '%' || frontdesk.fold($3) || '%'))
    and ($4::text is null or s.body like (select '%' || frontdesk.fold($4) || '%'))
    and ($5::text is null or (select frontdesk.fold($5)) <% s.body
         or s.misspellings && (select frontdesk.misspellings(frontdesk.fold($5))))
    and ($6::text is null or (select frontdesk.fold($6)) <% s.body
         or s.misspellings && (select frontdesk.misspellings(frontdesk.fold($6))))
    and ($7::text is null or (select frontdesk.fold($7)) <% s.body
         or s.misspellings && (select frontdesk.misspellings(frontdesk.fold($7))))
  limit 1001
), ranked as (
  select h.id,
         round(700 * word_similarity((select frontdesk.fold($8)), h.name)
             + 300 * word_similarity((select frontdesk.fold($8)), h.body))::int as score
  from hits h
  join contacts c on c.org_id = $1 and c.id = h.id
  left join (
    select coalesce(r.merged_into, r.id) as id
    from frontdesk.tickets v
    join contacts r on r.org_id = $1 and r.id = v.contact_id
    where v.org_id = $1 and v.status = 'closed'
      and ($20::uuid is null or exists (
        select 1 from frontdesk.line_items i where i.org_id = $1 and i.ticket_id = v.id and i.service_id = $20
      ))
    group by 1
    having ($18::timestamptz is null or max(v.starts_at) < $18)
       and ($19::timestamptz is null or max(v.starts_at) >= $19)
  ) served on served.id = c.id
  where (select bool_and(h.body like '%' || frontdesk.fold(term) || '%') from unnest($16::text[]) term) is not false
    and ($9::text = 'any' or (c.archived_at is null) = ($9 = 'no'))
    and ($10::text is null or $10 = any (c.tags))
    and (not $17::bool or served.id is not null)
    and (($11::text is null and $12::text is null) or exists (
      select 1
      from frontdesk.addresses a
      where a.org_id = $1 and a.contact_id = c.id and a.removed_at is null
        and ($11 is null or a.city_key = lower($11))
        and ($12 is null or a.postal_code = $12)
    ))
)
select r.id as "id!", r.score as "score!", (select count(*) from ranked) as "total!"
from ranked r
where $13::int is null or r.score < $13 or (r.score = $13 and r.id > $14)
order by r.score desc, r.id
limit $15
