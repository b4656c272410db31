-- Contacts are found by whole words first. What is near (the beginning of a word, one slip apart, similar) is looked up in
-- a small list of the organization's words, not in the text of each contact, and the words of each note are kept by
-- themselves, so that a change of one thing about a contact leaves the rest of its search text alone.

set lock_timeout = '5s';

-- The same as before. Without settings of its own and with everything named in full, it becomes part of the statement
-- that uses it, instead of being planned anew at each call.
create or replace function frontdesk.fold(input text) returns text language sql stable parallel safe
  as $$ select translate(lower(public.unaccent('public.unaccent'::regdictionary, input)), '''’`', '') $$;
comment on function frontdesk.fold(text) is
  'Text as search compares it: lower case, without accents and apostrophes.';

-- Signs are named by their numbers, so that words are the same whatever the database's locale takes for a letter.
create function frontdesk.words(folded text) returns text[] language sql immutable parallel safe
  as $$ select array_remove(regexp_split_to_array(
          regexp_replace(folded, '([^ ]{100})[^ ]+', '\1', 'g'),
          '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7'
          '\u2000-\u206f\u3000-\u303f\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+'), '') $$;
comment on function frontdesk.words(text) is
  'The words of a folded text: what stands between signs and spaces, cut where it is too long to be a word.';

-- What follows an address's last dot belongs to everybody.
create function frontdesk.words_of_email(folded text) returns text[] language sql immutable parallel safe
  as $$ select left(folded, 254) || frontdesk.words(regexp_replace(left(folded, 254), '\.[^.@]*$', '')) $$;
comment on function frontdesk.words_of_email(text) is
  'What a folded e-mail address is found by: itself and its words.';

create function frontdesk.words_of_reach(reach text) returns text[] language plpgsql immutable parallel safe
  set search_path = pg_catalog, public, pg_temp as $$
declare
  found text[] := '{}';
  way text;
  backwards text := '';
begin
  foreach way in array string_to_array(reach, ' ') loop
    if way like '%@%' then
      found := found || frontdesk.words_of_email(frontdesk.fold(way));
    elsif way <> '' then
      found := found || way;
      -- People remember how a number ends: backwards, that is how it begins. A number without its country's code ends
      -- like the one with it, which goes first.
      if not starts_with(backwards, '<' || reverse(way)) then
        backwards := '<' || reverse(way);
        found := found || backwards;
      end if;
    end if;
  end loop;
  return found;
end $$;
comment on function frontdesk.words_of_reach(text) is
  'What e-mail addresses and the digits of phone numbers, with spaces between, are found by.';

-- Quoted, a word means itself, whatever is in it. With `beginning` it means all words that begin with it.
create function frontdesk.term(word text, beginning boolean default false) returns tsquery language sql immutable parallel safe
  as $$ select ('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''''
          || case when beginning then ':*' else '' end)::tsquery $$;
comment on function frontdesk.term(text, boolean) is 'A question for one word.';

create function frontdesk.any_of(words text[]) returns tsquery language sql immutable parallel safe
  as $$ select ('''' || array_to_string(words, ''' | ''') || '''')::tsquery $$;
comment on function frontdesk.any_of(text[]) is 'A question for one of several words of letters and digits.';

-- The words an organization uses: what a misspelt word may mean, and what a beginning may become. Kept by those who write
-- texts; a word that nobody has any more does no harm.
create table search_words (
  org_id uuid not null,
  word text collate "C" not null,
  misspellings text[] not null,
  primary key (org_id, word)
);
select frontdesk.isolate('search_words', 'select, insert, delete');
create index search_words_misspellings on search_words using gin (org_id, misspellings);
create index search_words_similar on search_words using gin (org_id, word gin_trgm_ops);

create table note_search (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  terms tsvector not null,
  primary key (org_id, id),
  constraint search_of_note foreign key (org_id, id) references notes (org_id, id) on delete cascade
);
comment on constraint search_of_note on note_search is 'Search words belong to a note.';
select frontdesk.isolate('note_search', 'select, insert, update, delete');

-- The contacts' own rows keep the texts that say why one was found, and the words by which it is.
drop view frontdesk.contact_search;
drop index contact_search_body;
drop index contact_search_misspellings;
alter table contact_search drop column body;
alter table contact_search drop column misspellings;
alter table contact_search rename column words to tags;
truncate contact_search;
alter table contact_search add column archived boolean not null;
alter table contact_search add column terms tsvector not null;

-- Row security keeps the operators that search with out of index conditions, because they are not leakproof. The owner's
-- views carry the same condition without that barrier; they show ids and search words only, and what is found is shown
-- from the tables under row security.
create view frontdesk.contact_search as
  select org_id, id, name, archived, terms from public.contact_search where org_id = frontdesk.org_id();
create view frontdesk.note_search as
  select org_id, id, contact_id, terms from public.note_search where org_id = frontdesk.org_id();
create view frontdesk.search_words as
  select org_id, word, misspellings from public.search_words where org_id = frontdesk.org_id();
grant select on frontdesk.contact_search, frontdesk.note_search, frontdesk.search_words to frontdesk_app;

-- Keeping what is searched

drop function frontdesk.misspellings(text);
create function frontdesk.misspellings(word text) returns text[] language plpgsql immutable parallel safe
  set search_path = pg_catalog, public, pg_temp as $$
declare
  spellings text[] := array[word];
begin
  if length(word) > 3 then
    for nth in 1 .. length(word) loop
      spellings := spellings || overlay(word placing '' from nth for 1);
    end loop;
  end if;
  return spellings;
end $$;
comment on function frontdesk.misspellings(text) is
  'A word, and what is left of it without one of its letters. Two words that are one slip apart (a letter wrong, missing, '
  'too many, or two swapped) have one of these in common, however short they are (the symmetric delete method).';

create function frontdesk.learn_words(org uuid, said text[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
begin
  -- So that none of them is forgotten meanwhile.
  perform pg_advisory_xact_lock_shared(hashtextextended('search_words ' || org, 0));
  -- In one order, so that two calls that learn the same words at the same time do not wait for each other in a circle.
  insert into search_words (org_id, word, misspellings)
  select org, heard.word, frontdesk.misspellings(heard.word)
    from (select word collate "C" as word from unnest(said) word where word !~ '[0-9=<@]') heard
   -- One look at the key for each, however few words there were when this was planned.
   where (select true from search_words known where known.org_id = org and known.word = heard.word) is null
   order by heard.word
  on conflict do nothing;
end $$;
comment on function frontdesk.learn_words(uuid, text[]) is
  'Adds those of these words to the organization''s list that can be misspelt: numbers and addresses are right or wrong.';

drop function frontdesk.index_contact(uuid, uuid);
create function frontdesk.index_contacts(org uuid, changed uuid[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  said text[];
begin
  with indexed as (
    insert into contact_search as s (org_id, id, name, reach, place, tags, archived, terms)
    select org, c.id, t.name, t.reach, t.place, t.tags, c.archived_at is not null,
           -- Words of the name stand there once more, with a mark.
           array_to_tsvector(frontdesk.words(t.name || ' ' || t.place || ' ' || t.tags) || frontdesk.words_of_reach(t.reach)
             || array_remove(string_to_array('=' || array_to_string(frontdesk.words(t.name), ' ='), ' '), '='))
      from contacts c
     cross join lateral (
       select frontdesk.fold(c.display_name) as name,
              concat_ws(' ',
                (select string_agg(e.email_key, ' ' order by e.position)
                   from contact_emails e where e.org_id = org and e.contact_id = c.id),
                (select string_agg(concat_ws(' ', ltrim(p.e164, '+'), regexp_replace(p.phone, '[^0-9]', '', 'g')), ' '
                                   order by p.position)
                   from contact_phones p where p.org_id = org and p.contact_id = c.id)) as reach,
              coalesce((select string_agg(frontdesk.fold(concat_ws(' ', a.label, a.street, a.street2, a.city, a.postal_code)),
                                 ' ' order by a.id)
                          from addresses a
                         where a.org_id = org and a.contact_id = c.id and a.removed_at is null), '') as place,
              frontdesk.fold(array_to_string(c.tags, ' ')) as tags
       offset 0
     ) t
     where c.org_id = org and c.id = any (changed)
     order by c.id
    on conflict (org_id, id) do update
      set name = excluded.name, reach = excluded.reach, place = excluded.place, tags = excluded.tags,
          archived = excluded.archived, terms = excluded.terms
      where (s.name, s.reach, s.place, s.tags, s.archived, s.terms)
            is distinct from (excluded.name, excluded.reach, excluded.place, excluded.tags, excluded.archived, excluded.terms)
    returning terms
  )
  select array_agg(distinct word) into said from indexed cross join lateral unnest(tsvector_to_array(terms)) word;
  perform frontdesk.learn_words(org, said);
end $$;
comment on function frontdesk.index_contacts(uuid, uuid[]) is
  'Makes the search text of these contacts anew, without their notes, which have rows of their own. In the order of their '
  'ids, so that two calls that end at the same time do not wait for each other in a circle.';

-- Most contacts are made without tags, and most changes leave them alone.
drop trigger tags on contacts;
create trigger tags after insert on contacts for each row when (new.tags <> '{}') execute function frontdesk.index_tags();
create trigger tags_changed after update of tags on contacts for each row when (new.tags <> old.tags)
  execute function frontdesk.index_tags();

create function frontdesk.index_notes(org uuid, changed uuid[]) returns void
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  said text[];
begin
  with indexed as (
    insert into note_search as s (org_id, id, contact_id, terms)
    select org, n.id, n.contact_id, array_to_tsvector(frontdesk.words(frontdesk.fold(left(n.content, 100000))))
      from notes n
     where n.org_id = org and n.id = any (changed)
     order by n.id
    on conflict (org_id, id) do update
      set contact_id = excluded.contact_id, terms = excluded.terms
      where (s.contact_id, s.terms) is distinct from (excluded.contact_id, excluded.terms)
    returning terms
  )
  select array_agg(distinct word) into said from indexed cross join lateral unnest(tsvector_to_array(terms)) word;
  perform frontdesk.learn_words(org, said);
end $$;
comment on function frontdesk.index_notes(uuid, uuid[]) is 'Makes the search words of these notes anew.';

-- Every call ends with its line in the call log. The row log then knows what the call changed, in whatever table, so each
-- contact is indexed once per call, and no writer can forget it. What is no part of a search text leaves it alone. A part
-- that goes to another contact, as when a merge is undone, changes the text of both.
create or replace function frontdesk.index_changed_contacts() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  contacts uuid[];
  notes uuid[];
begin
  select array_agg(distinct side.contact) filter (where l.table_name <> 'notes' and side.contact is not null),
         array_agg(distinct l.row_id) filter (where l.table_name = 'notes')
    into contacts, notes
    from row_log l
   cross join lateral unnest(array[l.subject_contact_id, (l.old_values ->> 'contact_id')::uuid]) side (contact)
   where l.org_id = new.org_id and l.call_id = new.id
     and (l.table_name = 'contacts' and (l.change <> 'updated' or l.new_values ?| array[
            'kind', 'given_name', 'family_name', 'organization_name', 'tags', 'archived_at'])
       or l.table_name = 'contact_emails' and (l.change <> 'updated' or l.new_values ?| array['contact_id', 'email', 'position'])
       or l.table_name = 'contact_phones' and (l.change <> 'updated' or l.new_values ?| array[
            'contact_id', 'phone', 'e164', 'position'])
       or l.table_name = 'addresses' and (l.change <> 'updated' or l.new_values ?| array[
            'contact_id', 'label', 'street', 'street2', 'city', 'postal_code', 'removed_at'])
       or l.table_name = 'notes' and (l.change = 'created' or l.new_values ?| array['contact_id', 'content']));
  if contacts is not null then
    perform frontdesk.index_contacts(new.org_id, contacts);
  end if;
  if notes is not null then
    perform frontdesk.index_notes(new.org_id, notes);
  end if;
  return null;
end $$;
comment on function frontdesk.index_changed_contacts() is
  'Trigger on the call log: makes the search text anew of what the call changed.';

create function frontdesk.forget_words(beyond text, at_most integer) returns text
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  org uuid := frontdesk.org_id();
  last text;
begin
  -- Not while somebody learns words: what is looked up there and here must not change between.
  if not pg_try_advisory_xact_lock(hashtextextended('search_words ' || org, 0)) then
    return null;
  end if;
  with looked_at as materialized (
    select w.word from search_words w where w.org_id = org and w.word > beyond collate "C" order by w.word limit at_most
  ), gone as (
    delete from search_words w
     using looked_at l
     where w.org_id = org and w.word = l.word
       and (select true from frontdesk.contact_search s
             where s.org_id = org and s.terms @@ frontdesk.term(l.word) limit 1) is null
       and (select true from frontdesk.note_search s
             where s.org_id = org and s.terms @@ frontdesk.term(l.word) limit 1) is null
  )
  select max(word) into last from looked_at;
  return last;
end $$;
comment on function frontdesk.forget_words(text, integer) is
  'Looks at so many words of the running transaction''s organization that come after this one, removes those that stand in no '
  'contact and no note any more, and tells the last one looked at; null if there is none, or if somebody is busy with them.';

-- What is there already
select frontdesk.index_contacts(org_id, array_agg(id)) from contacts group by org_id;
select frontdesk.index_notes(org_id, array_agg(id)) from notes group by org_id;
create index contact_search_terms on contact_search using gin (org_id, terms) with (gin_pending_list_limit = 64);
create index note_search_of_contact on note_search (org_id, contact_id);
create index note_search_terms on note_search using gin (org_id, terms) with (gin_pending_list_limit = 64);
alter index search_words_misspellings set (gin_pending_list_limit = 64);
alter index search_words_similar set (gin_pending_list_limit = 64);

-- Finding

create function frontdesk.meant_by(org uuid, word text, stage integer) returns tsquery
  language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
  meant tsquery := frontdesk.term(word);
  known text[];
begin
  if word ~ '^[0-9]{4,}$' then
    return frontdesk.term(word, beginning => stage > 1) || frontdesk.term('<' || reverse(word), beginning => true);
  elsif stage = 1 then
    return meant;
  elsif word like '%@%' and stage > 2 then
    return (select string_agg('(' || frontdesk.meant_by(org, part, stage)::text || ')', ' & ')::tsquery
              from unnest(frontdesk.words_of_email(word)) part where part not like '%@%');
  elsif word ~ '[0-9@]' then
    return frontdesk.term(word, beginning => true);
  end if;
  known := array(
    select w.word from frontdesk.search_words w
     where w.org_id = org and w.word > meant_by.word and w.word < meant_by.word || chr(1114111)
     limit 65);
  if cardinality(known) > 64 then
    meant := frontdesk.term(word, beginning => true);
  elsif known <> '{}' then
    meant := meant || frontdesk.any_of(known);
  end if;
  if stage > 2 and length(word) > 2 then
    known := array(
      select w.word from frontdesk.search_words w
       where w.org_id = org and w.word <> meant_by.word and w.misspellings && frontdesk.misspellings(meant_by.word)
       order by similarity(w.word, meant_by.word) desc, w.word
       limit 64);
    meant := case when known = '{}' then meant else meant || frontdesk.any_of(known) end;
  end if;
  if stage > 3 and length(word) > 2 then
    known := array(
      select w.word from frontdesk.search_words w
       where w.org_id = org and (w.word like '%' || meant_by.word || '%' or meant_by.word <% w.word)
       order by similarity(w.word, meant_by.word) desc, w.word
       limit 64);
    meant := case when known = '{}' then meant else meant || frontdesk.any_of(known) end;
  end if;
  return meant;
end $$;
comment on function frontdesk.meant_by(uuid, text, integer) is
  'What a word that is searched for may stand for: itself; from stage 2 on words that begin with it; from stage 3 on words '
  'one slip apart; from stage 4 on words that contain it or are similar. Numbers and addresses are right or wrong.';

create function frontdesk.find_contacts(
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

create function frontdesk.why_found(org uuid, hits uuid[], sought text[])
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
