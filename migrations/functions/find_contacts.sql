create or replace function frontdesk.find_contacts(
  org uuid, texts text[], numbers text[], shown text, tagged text, in_city text, with_code text, served boolean,
  served_before timestamptz, served_after timestamptz, with_service uuid, after_score integer, after_id uuid, at_most bigint
) returns table (id uuid, score integer, total bigint)
  language plpgsql stable set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  sought text[] := numbers;
  word text;
  meaning tsquery;
  meant tsquery[];
  named tsquery;
  all_of tsquery;
  rarest tsquery;
  fewest integer;
  having_it integer;
  earlier tsquery;
  ids uuid[] := '{}';
  scores integer[] := '{}';
  more_ids uuid[];
  more_scores integer[];
  stage integer := 1;
begin
  foreach word in array texts loop
    word := frontdesk.fold(word);
    sought := sought || case when word like '%_@_%' then array[left(word, 254)] else frontdesk.words(word) end;
  end loop;
  if sought = '{}' then
    return;
  end if;
  foreach word in array sought loop
    named := coalesce(named && frontdesk.term('=' || word), frontdesk.term('=' || word));
  end loop;
  loop
    if stage = 0 then
      all_of := named;
    else
      meant := '{}';
      all_of := null;
      foreach word in array sought loop
        -- Numbers and addresses that are somebody's are right.
        meaning := frontdesk.meant_by(org, word, case when ids <> '{}' and word ~ '[0-9@]' then 1 else stage end);
        meant := array_append(meant, meaning);
        all_of := coalesce(all_of && meaning, meaning);
      end loop;
    end if;
    -- As texts: a question for a word and one for what begins with it count as equal.
    if all_of::text is distinct from earlier::text then
      rarest := meant[1];
      fewest := null;
      foreach meaning in array case when stage > 0 and cardinality(meant) > 1 then meant else '{}' end loop
        exit when fewest < 100;
        select (select count(*) from (select 1 from frontdesk.contact_search s
                                       where s.org_id = org and s.terms @@ meaning limit 1001) s)
             + (select count(*) from (select 1 from frontdesk.note_search n
                                       where n.org_id = org and n.terms @@ meaning limit 1001) n)
          into having_it;
        if fewest is null or having_it < fewest then
          rarest := meaning;
          fewest := having_it;
        end if;
      end loop;
      select array_agg(hit.id), array_agg(hit.score) into more_ids, more_scores
        from (
          select found.id,
                 2000 * (5 - stage) - 1000 * found.noted::integer + 1000 * (stage = 1 and found.terms @@ named)::integer
                   + case when stage < 3 then 999 - least(length(found.name), 999)
                          else round(999 * similarity(array_to_string(sought, ' '), found.name)) end::integer as score
            from (
              select s.id, s.name, s.archived, s.terms, false as noted
                from frontdesk.contact_search s
               where s.org_id = org and s.terms @@ all_of and (earlier is null or not s.terms @@ earlier)
              union all
              -- Some of the words stand in notes, the others anywhere: whoever has all of them has the rarest one.
              select s.id, s.name, s.archived, s.terms, true
                from (
                  (select c.id
                     from frontdesk.contact_search c
                    where c.org_id = org and c.terms @@ rarest and cardinality(meant) > 1
                    limit 1000)
                  union
                  (select n.contact_id
                     from frontdesk.note_search n
                    where n.org_id = org and n.terms @@ rarest
                    limit case cardinality(meant) when 1 then 2000 else 1000 end)
                ) candidate
                join frontdesk.contact_search s on s.org_id = org and s.id = candidate.id
               where stage > 0 and not s.terms @@ all_of
                 and not exists (
                   select 1 from unnest(meant) one
                    where not s.terms @@ one and not exists (
                      select 1 from frontdesk.note_search n
                       where n.org_id = org and n.contact_id = s.id and n.terms @@ one))
            ) found
           where (stage < 2 or found.id <> all (ids))
             and (shown = 'any' or found.archived = (shown = 'only'))
             and (not served or found.id in (
               select coalesce(r.merged_into, r.id)
                 from frontdesk.tickets v
                 join contacts r on r.org_id = org and r.id = v.contact_id
                where v.org_id = org and v.status = 'closed'
                  and (with_service is null or exists (
                    select 1 from frontdesk.line_items i
                     where i.org_id = org and i.ticket_id = v.id and i.service_id = with_service))
                group by 1
               having (served_before is null or max(v.starts_at) < served_before)
                  and (served_after is null or max(v.starts_at) >= served_after)))
             and (tagged is null or exists (
               select 1 from contact_tags t where t.org_id = org and t.tag = tagged and t.contact_id = found.id))
             and (in_city is null and with_code is null or exists (
               select 1 from addresses a
                where a.org_id = org and a.contact_id = found.id and a.removed_at is null
                  and (in_city is null or a.city_key = lower(in_city)) and (with_code is null or a.postal_code = with_code)))
           limit case when stage > 0 then 1001 - cardinality(ids) else 1001 end
        ) hit;
      if stage = 0 then
        -- More than are looked at: those who are called so go first.
        select array_agg(first.id), array_agg(first.score) into ids, scores
          from (
            select called.id, called.score from unnest(more_ids, more_scores) called (id, score)
            union all
            select other.id, other.score from unnest(ids, scores) other (id, score) where other.score < 9000
            limit 1001
          ) first;
      else
        ids := ids || more_ids;
        scores := scores || more_scores;
      end if;
    end if;
    exit when stage = 0;
    stage := case when cardinality(ids) > 1000 then 0 else stage + 1 end;
    exit when stage > 4 or cardinality(ids) > case stage when 0 then 1001 when 4 then 0 else 24 end;
    earlier := case when stage > 0 then all_of end;
  end loop;
  return query
    select found.id, found.score, cardinality(ids)::bigint
      from unnest(ids, scores) found (id, score)
     where after_score is null or found.score < after_score or found.score = after_score and found.id > after_id
     order by found.score desc, found.id
     limit at_most;
end $$;
comment on function frontdesk.find_contacts(uuid, text[], text[], text, text, text, text, boolean, timestamptz, timestamptz, uuid, integer,
  uuid, bigint) is
  'The contacts in which all of these words and numbers stand, best match first, and how many there are, counted to 1,001. '
  'Whole words go first, in a name before elsewhere, and of several the shorter name; then notes. While fewer than 25 are '
  'found, words that begin so follow, then words one slip apart; and if nobody is found, similar ones. What the caller may '
  'see is decided where the rows are read, under row security.';
