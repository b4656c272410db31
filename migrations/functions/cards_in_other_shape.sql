create or replace function frontdesk.cards_in_other_shape(groups text[], familiar boolean[]) returns int[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  ends int[] := array_fill(0, array[cardinality(groups)]);
  start int := 1;
  last int;
  len int;
  digits text;
begin
  while start <= cardinality(groups) loop
    last := start - 1;
    len := 0;
    while last < cardinality(groups) and not familiar[last + 1] loop
      last := last + 1;
      len := len + length(groups[last]);
    end loop;
    -- At most 19 digits and a short group at either end.
    if len between 13 and 27 then
      <<candidates>>
      for skipped in 0 .. (length(groups[start]) <= 4)::int loop
        for dropped in 0 .. (length(groups[last]) <= 4)::int loop
          digits := '';
          for nth in start + skipped .. last - dropped loop
            digits := digits || groups[nth];
          end loop;
          if last - dropped > start + skipped and frontdesk.is_card_number(digits, true) then
            ends[start + skipped] := last - dropped;
            exit candidates;
          end if;
        end loop;
      end loop;
    end if;
    start := last + 2;
  end loop;
  return ends;
end
$$;
comment on function frontdesk.cards_in_other_shape(text[], boolean[]) is
  'For each group of digits, the last group of the card that starts there, or 0; whatever is familiar takes no part.';
