create or replace function frontdesk.cards_in_usual_shape(groups text[], first_is_none boolean) returns int[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  shapes constant text[] := '{4-4-4-4-3,4-4-4-4-2,4-4-4-4-1,4-4-4-4,4-6-5,4-4-4-3,4-6-4,4-4-4-2,4-4-4-1}';
  shape text;
  shape_here text;
  digits text;
  candidates int[] := array_fill(0, array[cardinality(groups)]);
  card_of int[] := candidates;
  ends int[] := candidates;
  free int := 1;
begin
  for at in 1 .. cardinality(groups) loop
    if length(groups[at]) = 4 then
      shape_here := concat_ws('-', 4, length(groups[at + 1]), length(groups[at + 2]), length(groups[at + 3]),
        length(groups[at + 4]), '');
      foreach shape in array shapes loop
        if starts_with(shape_here, shape || '-') then
          digits := '';
          for nth in at .. at + length(shape) / 2 loop
            digits := digits || groups[nth];
          end loop;
          if frontdesk.is_card_number(digits, true) then
            candidates[at] := at + length(shape) / 2;
            exit;
          end if;
        end if;
      end loop;
    elsif frontdesk.is_card_number(groups[at], false) and not (at = 1 and first_is_none) then
      candidates[at] := at;
    end if;
    if at >= free and candidates[at] > 0 then
      free := candidates[at] + 1;
      for nth in at .. candidates[at] loop
        card_of[nth] := at;
      end loop;
    end if;
  end loop;
  for at in 1 .. cardinality(groups) loop
    for nth in at .. candidates[at] loop
      if card_of[nth] = 0 then
        card_of[nth] := card_of[nth - 1];
      end if;
    end loop;
  end loop;
  for at in 1 .. cardinality(groups) loop
    if card_of[at] > 0 then
      ends[card_of[at]] := at;
    end if;
  end loop;
  return ends;
end
$$;
comment on function frontdesk.cards_in_usual_shape(text[], boolean) is
  'For each group of digits, the last group of the card that starts there, or 0.';
