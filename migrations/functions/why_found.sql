create or replace function frontdesk.why_found(org uuid, hits uuid[], sought text[])
  returns table (id uuid, nth bigint, part text, word text)
  language plpgsql stable set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  at_ids uuid[];
  at_nths bigint[];
  at_parts text[];
  at_words text[];
begin
  select array_agg(s.id), array_agg(t.nth), array_agg(best.part), array_agg(best.word)
    into at_ids, at_nths, at_parts, at_words
    from contact_search s
   cross join lateral (
     select t.nth, frontdesk.fold(t.term) as folded from unnest(sought) with ordinality t (term, nth) offset 0
   ) t
    left join lateral (
      select f.part, w.word
        from (
          values (1, 'name', s.name), (2, 'email_or_phone', s.reach), (3, 'address', s.place), (4, 'tags_or_notes', s.tags)
        ) f (rank, part, text)
       cross join lateral string_to_table(translate(f.text, E'\t\r\n', '   '), ' ') w (word)
       where position(t.folded in f.text) > 0 and position(t.folded in w.word) > 0
       order by similarity(w.word, t.folded) desc, f.rank
       limit 1
    ) best on true
   where s.org_id = org and s.id = any (hits);
  return query
    select a.id, a.nth, a.part, a.word from unnest(at_ids, at_nths, at_parts, at_words) a (id, nth, part, word)
     where a.word is not null;
  if array_position(at_words, null) is null then
    return;
  end if;
  -- What none of them holds stands in a note, or is near one of them.
  return query
    with near as materialized (
      select t.nth, t.folded, frontdesk.term(t.folded, beginning => true) as begun, frontdesk.meant_by(org, t.folded, 4) as meant,
             array(select w.word
                     from unnest(frontdesk.words(t.folded)) one (word)
                     join frontdesk.search_words w on w.org_id = org and w.misspellings && frontdesk.misspellings(one.word)
                    where one.word !~ '[0-9]') as slips
        from (select t.nth, frontdesk.fold(t.term) as folded from unnest(sought) with ordinality t (term, nth) offset 0) t
       where t.nth = any (array(select a.nth from unnest(at_nths, at_words) a (nth, word) where a.word is null))
    )
    select a.id, a.nth, best.part, best.word
      from unnest(at_ids, at_nths, at_words) a (id, nth, word)
      join near t on t.nth = a.nth
      join contact_search s on s.org_id = org and s.id = a.id
     cross join lateral (
       (select 'tags_or_notes' as part, w.word
          from note_search n
         cross join lateral unnest(tsvector_to_array(n.terms)) w (word)
         where n.org_id = org and n.contact_id = a.id and n.terms @@ t.begun and position(t.folded in w.word) > 0
         order by similarity(w.word, t.folded) desc
         limit 1)
       union all
       (select f.part, f.word
          from (
            select f.rank, f.part, w.word
              from (
                values (1, 'name', s.name), (2, 'email_or_phone', s.reach), (3, 'address', s.place), (4, 'tags_or_notes', s.tags)
              ) f (rank, part, text)
             cross join lateral string_to_table(translate(f.text, E'\t\r\n', '   '), ' ') w (word)
            union all
            select 5, 'tags_or_notes', w.word
              from note_search n
             cross join lateral unnest(tsvector_to_array(n.terms)) w (word)
             where n.org_id = org and n.contact_id = a.id and n.terms @@ t.meant
          ) f
         where f.word <> ''
         order by (t.slips <> '{}' and frontdesk.words(f.word) && t.slips) desc, similarity(f.word, t.folded) desc, f.rank
         limit 1)
       limit 1
     ) best
     where a.word is null;
end $$;
comment on function frontdesk.why_found(uuid, uuid[], text[]) is
  'For each of these contacts and words, the closest word of the contact and where it stands.';
