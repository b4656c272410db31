create or replace function frontdesk.familiar_numbers(
  groups text[], dashed boolean[], longest_phone int, before text, after text
) returns boolean[]
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  day_of_year constant text := '^(?:19|20)[0-9]{2}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12][0-9]|3[01])$';
  familiar boolean[] := array_fill(false, array[cardinality(groups)]);
  phone int := longest_phone;
  at int := 1;
  step int;
  here text;
begin
  while length(groups[at]) <= phone loop
    phone := phone - length(groups[at]);
    familiar[at] := true;
    at := at + 1;
  end loop;
  while at <= cardinality(groups) loop
    here := concat_ws('-', length(groups[at]), length(groups[at + 1]), length(groups[at + 2]), length(groups[at + 3]));
    step := case
      when here = '1-3-3-4' and groups[at] = '1' then 4
      when starts_with(here || '-', '3-3-4-') then 3
      when here ~ '^4-[12]-[12](?:-|$)'
        and (
          concat_ws('-', groups[at], groups[at + 1], groups[at + 2]) ~ day_of_year
          or concat_ws('-', groups[at], groups[at + 2], groups[at + 1]) ~ day_of_year
        ) then 3
      when here ~ '^[12]-[12]-4(?:-|$)'
        and (
          concat_ws('-', groups[at + 2], groups[at + 1], groups[at]) ~ day_of_year
          or concat_ws('-', groups[at + 2], groups[at], groups[at + 1]) ~ day_of_year
        ) then 3
      when starts_with(here || '-', '5-4-') and dashed[at + 1] and not dashed[at] and not dashed[at + 2] then 2
      when length(groups[at]) > 19 then 1
      when dashed[at] or dashed[at + 1] then 0
      when length(groups[at]) in (5, 9, 10) then 1
      when length(groups[at]) = 11 and groups[at] like '1%' then 1
      when length(groups[at]) = 8
        and groups[at] ~ '^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$' then 1
      else 0
    end;
    for nth in at .. at + step - 1 loop
      familiar[nth] := true;
    end loop;
    at := at + greatest(step, 1);
  end loop;
  if before ~ '[0-9]\.$' or before ~ '[/:]$' and length(groups[1]) <= 4 then
    familiar[1] := true;
  end if;
  if after ~ '^[/:]' and length(groups[cardinality(groups)]) <= 2 then
    familiar[cardinality(groups)] := true;
  end if;
  return familiar;
end
$$;
comment on function frontdesk.familiar_numbers(text[], boolean[], int, text, text) is
  'For each group of digits, whether it belongs to a phone number, a date, a time or a ZIP code.';
