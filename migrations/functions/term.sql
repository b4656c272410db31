-- Quoted, a word means itself, whatever is in it. With `beginning` it means all words that begin with it.
create or replace function frontdesk.term(word text, beginning boolean default false) returns tsquery language sql immutable parallel safe
  as $$ select ('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''''
          || case when beginning then ':*' else '' end)::tsquery $$;
comment on function frontdesk.term(text, boolean) is 'A question for one word.';
