create or replace function frontdesk.meant_by(org uuid, word text, stage integer) returns tsquery
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
