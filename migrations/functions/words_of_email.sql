-- What follows an address's last dot belongs to everybody.
create or replace function frontdesk.words_of_email(folded text) returns text[] language sql immutable parallel safe
  as $$ select left(folded, 254) || frontdesk.words(regexp_replace(left(folded, 254), '\.[^.@]*$', '')) $$;
comment on function frontdesk.words_of_email(text) is
  'What a folded e-mail address is found by: itself and its words.';
